/**
 * Waits before the second and each later attempt, in seconds: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
 * Together with the immediate first attempt: 10 attempts over 75 h 35 min, the example of the Standard Webhooks specification.
 */
export const DEFAULT_RETRY_SCHEDULE: readonly number[] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]

/** The longest wait before an attempt, a day, also when a receiver asks for a longer one. */
export const MAX_DELAY_MS = 86_400_000

/** The default of `maxAgeMs`: a week, longer than the default schedule. */
export const DEFAULT_MAX_AGE_MS = 604_800_000

/** The same where history is on: as long as attempts are retained by default. */
export const MAX_AGE_WITH_HISTORY_MS = 2_592_000_000

/** Jitter makes a wait up to a tenth longer. It never shortens one, because a receiver may have asked for that wait. */
export const JITTER = 0.1

/** A wait with jitter, in whole ms. Every wait has it, so that waits that begin together do not end together. */
export function jittered(ms: number, random: () => number): number {
  return Math.round(ms * (1 + JITTER * random()))
}

/** The longest that all waits of a schedule can take together, jitter included, in ms. */
export function longestMs(schedule: readonly number[]): number {
  return schedule.reduce((sum, seconds) => sum + Math.min(MAX_DELAY_MS, Math.round(seconds * 1000 * (1 + JITTER))), 0)
}

/**
 * The wait after attempt number `attempt` (1 is the first), in ms: the schedule's wait, or the receiver's `Retry-After` if
 * that is longer, plus jitter, at most a day.
 */
export function retryDelayMs(
  schedule: readonly number[],
  attempt: number,
  options: { retryAfterMs?: number | undefined; random: () => number },
): number {
  const seconds = schedule[Math.min(attempt, schedule.length) - 1] ?? 0
  return Math.min(MAX_DELAY_MS, jittered(Math.max(seconds * 1000, options.retryAfterMs ?? 0), options.random))
}

// Also if the receiver asks for less: a pause of 0 would retry the row in a busy loop.
const MIN_PAUSE_MS = 1000

/**
 * How long an endpoint is paused, in ms: the receiver's `Retry-After`, else the schedule's first wait, at least a second, plus
 * jitter, at most `maxPauseMs`.
 */
export function pauseDelayMs(
  schedule: readonly number[],
  options: { retryAfterMs: number | undefined; maxPauseMs: number; random: () => number },
): number {
  const requestedMs = options.retryAfterMs ?? (schedule[0] ?? 0) * 1000
  return Math.min(options.maxPauseMs, jittered(Math.max(MIN_PAUSE_MS, requestedMs), options.random))
}

/**
 * Reads a `Retry-After` header as a wait from `now`, in ms, at most a day. It accepts seconds and an HTTP date (RFC 9110,
 * section 10.2.3), and other forms that receivers send: a fraction, a unit, a time since the epoch, an ISO date or duration, a
 * date without a zone (read as UTC), and several of these, of which the longest counts. Fractions are rounded up to seconds.
 * A time in the past is 0; any other text is undefined.
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  const waits = partsOf(value?.trim() ?? '').map((part) => waitOf(part, now))
  if (waits.length === 0 || waits.includes(undefined)) return undefined
  return Math.min(MAX_DELAY_MS, Math.max(0, ...waits.filter((wait) => wait !== undefined)))
}

// A header that was sent twice arrives as one, joined by a comma. The comma after the weekday of an HTTP date does not split.
function partsOf(text: string): string[] {
  return text.split(/,(?!\s*\d{1,2}[ -][a-z]{3})/i).filter((part) => part.trim() !== '')
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const NUMBER = /^(\d+(?:\.\d+)?)\s*(?:(ms|s|m|h|d)|(s)ec(?:ond)?s?|(m)in(?:ute)?s?|(h)ours?|(d)ays?)?$/i
const ISO_DURATION = /^P(?=T?\d)(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i

// An HTTP date begins with the weekday or the day's number; `Date.parse` alone would accept '2026' or '-1' as a date.
const DATE = /^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)|\d{1,2} [a-z]{3} \d{4} |\d{4}-\d\d-\d\d[T ]\d\d:\d\d)/i
const ZONE = /(?:GMT|UTC?|Z|[ECMP][SD]T|[+-]\d\d:?\d\d)$/i

// Numbers from these on are times since the epoch (September 2001, in seconds and in milliseconds), not waits.
const EPOCH_SECONDS = 1e9
const EPOCH_MS = 1e12

function waitOf(part: string, now: number): number | undefined {
  const text = part.trim().replace(/^"(.*)"$/, '$1')
  const [, number, ...units] = NUMBER.exec(text) ?? []
  if (number !== undefined) return waitOfNumber(Number(number), units.find(Boolean)?.toLowerCase(), now)
  const duration = ISO_DURATION.exec(text)
  if (duration) {
    const [days = 0, hours = 0, minutes = 0, seconds = 0] = duration.slice(1).map((one) => Number(one ?? 0))
    return wholeSeconds((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000)
  }
  if (!DATE.test(text)) return undefined
  // A date without a zone is read as UTC.
  const dated = ZONE.test(text)
    ? text
    : `${text.replace(/^(\d{4}-\d\d-\d\d) /, '$1T')}${/^\d{4}/.test(text) ? 'Z' : ' GMT'}`
  const time = Date.parse(dated)
  return Number.isNaN(time) ? undefined : time - now
}

function waitOfNumber(number: number, unit: string | undefined, now: number): number {
  if (unit !== undefined) return wholeSeconds(number * (UNITS[unit] ?? 1000))
  if (number < EPOCH_SECONDS) return wholeSeconds(number * 1000)
  return (number < EPOCH_MS ? number * 1000 : number) - now
}

function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1000) * 1000
}
