import type { OptionNames } from '@keepsend/outbox/internal'
import { EngineError, checkBounds } from './errors.ts'

/** A range of times, ms since the epoch. */
export interface TimeRange {
  /** At or after this time. */
  since?: number | undefined
  /** Before this time. */
  until?: number | undefined
}

export const TIME_RANGE = { since: 'number', until: 'number' } satisfies OptionNames<TimeRange>

/** As far as a `Date` goes, on both sides. */
export const MAX_TIME = 8.64e15

/** @throws {EngineError} `invalid_option` for a time that is not whole milliseconds, or that no `Date` can have */
export function checkTimes({ since, until }: TimeRange): void {
  for (const [name, ms] of Object.entries({ since, until }))
    if (ms !== undefined) checkBounds(name, ms, -MAX_TIME, MAX_TIME)
}

/**
 * Checks the times of something that acts on a range, which an empty one can only mean by mistake. A list of it is empty.
 *
 * @throws {EngineError} as {@link checkTimes}; `invalid_request` if it ends before it begins
 */
export function checkRange({ since, until }: TimeRange): void {
  checkTimes({ since, until })
  if (since !== undefined && until !== undefined && until <= since)
    throw new EngineError('invalid_request', `until must be after since; found ${until} and ${since}`)
}
