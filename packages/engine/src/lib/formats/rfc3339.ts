/** A parsed RFC 3339 time in milliseconds since the epoch, or why the text is not one. */
export type ReadTime = { ms: number } | { problem: string }

// A fraction of a second may have any number of digits; those beyond milliseconds are ignored.
export const MAX_TIME_LENGTH = 256

const FORM = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const MINUTE_MS = 60_000

/**
 * Parses a time with date and offset: `2026-11-23T12:00:00Z`, `2026-11-23t12:00:00.5+01:00`. Stricter than `Date.parse`, which
 * accepts February 30, among others. A leap second counts as the last millisecond before it.
 */
export function readTime(text: string): ReadTime {
  const found = text.length <= MAX_TIME_LENGTH ? FORM.exec(text) : null
  if (!found) return { problem: 'must be an RFC 3339 time such as 2026-11-23T12:00:00Z' }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map(Number)
  const offsetMinutes = Number(found[9] ?? 0) * 60 + Number(found[10] ?? 0)
  const problem =
    outside('month', month, 1, 12) ??
    dayProblem(year, month, day) ??
    outside('hour', hour, 0, 23) ??
    outside('minute', minute, 0, 59) ??
    outside('second', second, 0, 60) ??
    outside('hour of the offset', Number(found[9] ?? 0), 0, 23) ??
    outside('minute of the offset', Number(found[10] ?? 0), 0, 59)
  if (problem) return { problem }
  const isLeap = second === 60
  const milliseconds = isLeap ? 999 : Number((found[7] ?? '').padEnd(3, '0').slice(0, 3))
  const local = utc(year, month, day, hour, minute, isLeap ? 59 : second) + milliseconds
  const ms = local - offsetMinutes * MINUTE_MS * (found[8] === '-' ? -1 : 1)
  if (isLeap && !isEndOfMonth(ms)) return { problem: 'has a second 60, which only the end of a month in UTC can have' }
  const years = new Date(ms).getUTCFullYear()
  if (years < 0 || years > 9999) return { problem: 'must be of the years 0000 to 9999 in UTC' }
  return { ms }
}

function outside(what: string, found: number, min: number, max: number): string | undefined {
  return found < min || found > max ? `has the ${what} ${found}, which must be ${min} to ${max}` : undefined
}

function dayProblem(year: number, month: number, day: number): string | undefined {
  const days = new Date(utc(year, month + 1, 0)).getUTCDate()
  if (day >= 1 && day <= days) return undefined
  return `has the day ${day}, and ${MONTHS[month - 1]} ${year} has the days 1 to ${days}`
}

/** Unlike `Date.UTC`, which reads the years 0 to 99 as 1900 to 1999. */
function utc(year: number, month: number, day: number, hour = 0, minute = 0, second = 0): number {
  return new Date(0).setUTCFullYear(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1000
}

function isEndOfMonth(ms: number): boolean {
  const next = new Date(ms + 1)
  return next.getUTCDate() === 1 && next.getUTCHours() === 0 && next.getUTCMinutes() === 0
}
