/** Start and end of a stall, ms since the epoch. */
export interface Stall {
  from: number
  until: number
}

// Shorter than a stall in which a worker with a lease of 3 s loses it.
const LEAST_MS = 1000
const TICK_MS = 50

/**
 * Reports when this process has stalled, for any reason: a paused machine, a disk that did not respond, another process
 * that took the CPU. Leases expire as after a kill. Returns a function that ends the watch.
 */
export function watchStalls(report: (stall: Stall) => void): () => void {
  let last = Date.now()
  const timer = setInterval(() => {
    const now = Date.now()
    if (now - last >= LEAST_MS) report({ from: last, until: now })
    last = now
  }, TICK_MS)
  return () => clearInterval(timer)
}
