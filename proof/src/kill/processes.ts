/**
 * Processes that this run has started and that have not ended yet: all of them are killed at its end, however it ends.
 */
export type Processes = Set<{ kill(signal: 'SIGKILL'): unknown }>
