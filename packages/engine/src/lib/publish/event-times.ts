import type { Schedule } from '@keepsend/outbox/internal'
import { readTime } from '../formats/rfc3339.ts'
import { invalid, show } from './invalid-event.ts'

/** A year with a leap day: the most that an event is scheduled ahead, and the longest `expiresInMs`. */
export const MAX_SCHEDULE_MS = 31_622_400_000

export const MIN_EXPIRES_IN_MS = 1000

/** The text of an event's `timestamp`. @throws {EngineError} `invalid_event` */
export function isoTime(time: Date | string): string {
  const ms = msOf('timestamp', time)
  return typeof time === 'string' ? time : new Date(ms).toISOString()
}

/**
 * When an event may be delivered.
 *
 * @param now the publisher's clock, only for the bound on `deliverAt`; the database's decides when that time has come
 * @throws {EngineError} `invalid_event`
 */
export function readSchedule(
  { deliverAt, expiresInMs }: { deliverAt?: Date | string | undefined; expiresInMs?: number | undefined },
  now: number,
): Schedule {
  const at = deliverAt === undefined ? undefined : msOf('deliverAt', deliverAt)
  if (at !== undefined && at > now + MAX_SCHEDULE_MS)
    throw invalid(`deliverAt must be at most 366 days ahead; found ${show(deliverAt)}`)
  if (expiresInMs === undefined) return { deliverAt: at, expiry: undefined }
  if (!(Number.isInteger(expiresInMs) && expiresInMs >= MIN_EXPIRES_IN_MS && expiresInMs <= MAX_SCHEDULE_MS)) {
    throw invalid(
      `expiresInMs must be a whole number from ${MIN_EXPIRES_IN_MS} to ${MAX_SCHEDULE_MS}; found ${show(expiresInMs)}`,
    )
  }
  return { deliverAt: at, expiry: { inMs: expiresInMs } }
}

/** The schedule as a message carries it to a worker that inserts the rows later, by the publisher's clock. */
export function carriedSchedule(
  { deliverAt, expiry }: Schedule,
  now: number,
): { deliverAt?: string; expiresAt?: string } {
  const until = expiry?.inMs === undefined ? expiry?.at : Math.max(deliverAt ?? now, now) + expiry.inMs
  return {
    ...(deliverAt !== undefined && deliverAt > now && { deliverAt: new Date(deliverAt).toISOString() }),
    ...(until !== undefined && { expiresAt: new Date(until).toISOString() }),
  }
}

// The clock of the worker may be behind that of the publisher, which has checked the bound.
const CLOCK_SKEW_MS = 86_400_000

/** Reads the times of such a message. @throws {EngineError} `invalid_event` */
export function readCarried(
  { deliverAt, expiresAt }: { deliverAt?: string | undefined; expiresAt?: string | undefined },
  now: number,
): Schedule {
  const times = readSchedule({ deliverAt }, now + CLOCK_SKEW_MS)
  return expiresAt === undefined ? times : { ...times, expiry: { at: msOf('expiresAt', expiresAt) } }
}

function msOf(name: string, time: Date | string): number {
  if (typeof time === 'string') {
    const read = readTime(time)
    if ('problem' in read) throw invalid(`${name} ${read.problem}; found ${show(time)}`)
    return read.ms
  }
  // Not `instanceof`: a Date of another realm is one too.
  const ms = typeof (time as Partial<Date> | null)?.getTime === 'function' ? time.getTime() : NaN
  if (Number.isNaN(ms)) throw invalid(`${name} must be a date or an RFC 3339 time; found ${show(time)}`)
  return ms
}
