/** What a caller does before it begins, and how long it waits when another connection holds the lock that it needs. */
export interface Patience {
  /** In ms. */
  readonly ms: number
  /** Throws what refuses the caller; one that is busy waits. */
  check(): void
}

/**
 * SQLite's own wait, in ms, which blocks the event loop. As long as another process's commit may take and no longer: a
 * connection of this process cannot end its transaction meanwhile.
 */
export const BLOCKING_MS = 5

// Twice the wait of before, up to the cadence at which the poller looks for others' commits.
const DELAYS_MS = [1, 2, 5, 10, 25]

/** How long to leave the event loop to others before the next try, in ms. */
export function delayOf(tries: number): number {
  return DELAYS_MS[Math.min(tries, DELAYS_MS.length) - 1] ?? 1
}
