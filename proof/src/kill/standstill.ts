/** From when to when a process stood still, ms since the epoch. */
export interface Standstill {
  from: number
  until: number
}

// Less than makes a worker with a lease of 3 s lose it.
const LEAST_MS = 1000
const TICK_MS = 50

/**
 * Reports when this process has stood still, whoever let it: a machine that was paused, a disk that would not answer, a
 * neighbour that took the CPU. It loses leases like a blow. Returns how to end the watch.
 */
export function watchStandstill(report: (standstill: Standstill) => void): () => void {
  let last = Date.now()
  const timer = setInterval(() => {
    const now = Date.now()
    if (now - last >= LEAST_MS) report({ from: last, until: now })
    last = now
  }, TICK_MS)
  return () => clearInterval(timer)
}
