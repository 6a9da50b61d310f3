/** A check before a caller begins, and how long the caller waits for a lock of another connection. */
export interface Patience {
  /** In ms. */
  readonly ms: number
  /** Throws to refuse the caller; on `SQLITE_BUSY` the caller waits. */
  check(): void
}

/**
 * SQLite's own wait, in ms, which blocks the event loop. It is as long as another process's commit may take, and no
 * longer: a connection of this process cannot end its transaction meanwhile.
 */
export const BLOCKING_MS = 5

// Doubles each time, up to the interval at which the poller looks for commits of other processes.
const DELAYS_MS = [1, 2, 5, 10, 25]

/** How long to wait before the next attempt, in ms, without blocking the event loop. */
export function delayOf(tries: number): number {
  return DELAYS_MS[Math.min(tries, DELAYS_MS.length) - 1] ?? 1
}
