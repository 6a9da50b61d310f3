import { addSketch, noDurations, percentilesMs } from './sketch.ts'
import type { Sums } from './read-sums.ts'
import { COUNT_NAMES, type StatisticsCounts } from './sums.ts'

/**
 * The durations in ms below which 50, 95 and 99% of the attempts lie that are counted by their outcome: at most 1% off. Null if
 * there are none.
 */
export interface Percentiles {
  p50Ms: number | null
  p95Ms: number | null
  p99Ms: number | null
}

export function noCounts(): StatisticsCounts {
  return { delivered: 0, retried: 0, deferred: 0, failed: 0, replayed: 0, tested: 0 }
}

export function addCounts(into: StatisticsCounts, counts: StatisticsCounts): void {
  for (const name of COUNT_NAMES) into[name] += counts[name]
}

/** Several sums together. */
export class Total {
  readonly counts = noCounts()
  // Undefined: none. A list has 1,500 totals, most of them often empty.
  #durations: Float64Array | undefined

  add(sums: Sums): void {
    addCounts(this.counts, sums)
    addSketch((this.#durations ??= noDurations()), sums.sketch)
  }

  percentiles(): Percentiles {
    const [p50Ms = null, p95Ms = null, p99Ms = null] = this.#durations
      ? percentilesMs(this.#durations, [0.5, 0.95, 0.99])
      : []
    return { p50Ms, p95Ms, p99Ms }
  }
}
