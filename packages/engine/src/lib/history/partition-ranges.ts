const DAY_MS = 86_400_000
const MAX_PARTITIONS = 31
const DAYS_AHEAD = 14

/** The times of one partition, ms since the epoch: from the first, and before the second. */
export interface Range {
  from: number
  to: number
}

/**
 * The length of a partition, a whole number of days: the shortest with which the retention, the days ahead and the present
 * partition are at most 31 partitions, for each of which a list is planned. 2 days for a retention of 30.
 */
export function partitionMs(retentionMs: number): number {
  const parts = (ms: number, days: number): number => Math.ceil(ms / (days * DAY_MS))
  let days = 1
  while (parts(retentionMs, days) + 1 + parts(DAYS_AHEAD * DAY_MS, days) > MAX_PARTITIONS) days++
  return days * DAY_MS
}

/**
 * The ranges that have no partition yet, from `now` to `days` later. They begin and end at multiples of `lengthMs`, except where
 * a partition of another length is in the way, because the retention has changed.
 */
export function missingRanges(
  existing: readonly Range[],
  { now, lengthMs, days = DAYS_AHEAD }: { now: number; lengthMs: number; days?: number | undefined },
): Range[] {
  const missing: Range[] = []
  let at = now
  while (at <= now + days * DAY_MS) {
    const time = at
    let range = existing.find(({ from, to }) => from <= time && to > time)
    if (!range) {
      const start = Math.floor(time / lengthMs) * lengthMs
      const ended = existing.map(({ to }) => to).filter((to) => to <= time)
      const begins = existing.map(({ from }) => from).filter((from) => from > time)
      range = { from: Math.max(start, ...ended), to: Math.min(start + lengthMs, ...begins) }
      missing.push(range)
    }
    at = range.to
  }
  return missing
}
