import { EngineError } from '../errors.ts'
import { MAX_TIME } from '../time-range.ts'
import { SPANS, SPAN_MS, SPAN_RETENTION_MS, type Span, floorTo } from './spans.ts'
import type { SumsTimes } from './read-sums.ts'

/** The times of a request: a range that is rounded to whole minutes, hours or days. */
export interface StatisticsRange {
  /** From the minute, hour or day of this time on, ms since the epoch. */
  since: number
  /** To the end of the minute, hour or day that this time lies in, ms since the epoch; a time on a boundary ends there. @default now */
  until?: number | undefined
}

/**
 * Rounds a range, and checks it as far as it can be without the database's time.
 *
 * @param most minutes, hours or days in it
 */
export function readRange(by: Span, { since, until }: StatisticsRange, most: number): SumsTimes {
  if (!SPANS.includes(by)) refuse(`by must be minute, hour or day; found ${by}`)
  const spanMs = SPAN_MS[by]
  for (const [name, value] of [
    ['since', since],
    ['until', until],
  ] as const)
    if (value !== undefined && !isTime(value)) refuse(`${name} must be milliseconds since the epoch; found ${value}`)
  if (until !== undefined && until <= since) refuse(`until must be after since; found ${until} and ${since}`)
  const first = floorTo(by, since)
  const end = until === undefined ? undefined : floorTo(by, until + spanMs - 1)
  if (end !== undefined) checkLength(by, (end - first) / spanMs, most)
  return { by, since: first, until: end, most: most + 1 }
}

/** The beginnings of all minutes, hours or days of a range, now that the database's time is known. */
export function timesIn({ by, since, until, most }: SumsTimes, now: number): number[] {
  const spanMs = SPAN_MS[by]
  const present = floorTo(by, now) + spanMs
  const end = until === undefined ? present : Math.min(until, present)
  const count = Math.max(0, (end - since) / spanMs)
  checkLength(by, count, most - 1)
  if (since < floorTo(by, now - SPAN_RETENTION_MS[by])) {
    const days = SPAN_RETENTION_MS[by] / SPAN_MS.day
    const longer = by === 'day' ? '' : `, or ask by ${by === 'minute' ? 'hour' : 'day'}`
    throw new EngineError(
      'not_retained',
      `statistics by ${by} are retained for ${days} days: let since be later${longer}`,
    )
  }
  return Array.from({ length: count }, (_, index) => since + index * spanMs)
}

function checkLength(by: Span, count: number, most: number): void {
  if (count > most)
    refuse(`since and until must be at most ${most} ${by}s apart; found ${count}: let since be later, or by be longer`)
}

function isTime(ms: number): boolean {
  return Number.isSafeInteger(ms) && Math.abs(ms) <= MAX_TIME
}

function refuse(message: string): never {
  throw new EngineError('invalid_request', message)
}
