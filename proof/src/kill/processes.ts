/** What this run has started and not yet seen the end of: all of it is killed at the end, however that comes. */
export type Processes = Set<{ kill(signal: 'SIGKILL'): unknown }>
