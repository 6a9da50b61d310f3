import { timeFormat } from './formats.ts'
/** Clock times in the reader's zone, which each of them names, except `clock`. */
export interface Times {
  /** `6 Oct 2026, 14:31:20 UTC` */
  whole(ms: number): string
  /** `6 Oct, 14:31:20.400`, in a list of facts whose zone is named elsewhere. */
  exact(ms: number): string
  /** `14:32:08 UTC` */
  clock(ms: number): string
  /** `14:31:47.400` */
  fine(ms: number): string
  /** `14:30`, on an axis. */
  minute(ms: number): string
  /** `6 Oct` */
  day(ms: number): string
  /** `6 Oct 2026` */
  date(ms: number): string
  /** The name of the zone, such as `UTC`. */
  zone: string
}

export function createTimes(language: string, zone: string): Times {
  // The day before the month, as the other languages have it.
  const locale = language === 'en' ? 'en-GB' : language
  const by = (options: Intl.DateTimeFormatOptions): ((ms: number) => string) => {
    const format = timeFormat(locale, { timeZone: zone, hourCycle: 'h23', ...options })
    return (ms) => format.format(ms)
  }
  const day = by({ day: 'numeric', month: 'short' })
  const date = by({ day: 'numeric', month: 'short', year: 'numeric' })
  const second = by({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const fine = by({ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 })
  const minute = by({ hour: '2-digit', minute: '2-digit' })
  const named = timeFormat(locale, { timeZone: zone, timeZoneName: 'short' })
  const zoneAt = (ms: number): string =>
    named.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? zone
  return {
    whole: (ms) => `${date(ms)}, ${second(ms)} ${zoneAt(ms)}`,
    exact: (ms) => `${day(ms)}, ${fine(ms)}`,
    clock: (ms) => `${second(ms)} ${zoneAt(ms)}`,
    fine,
    minute,
    day,
    date,
    zone: zoneAt(Date.now()),
  }
}

/** Whether the runtime knows the time zone. */
export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone }).format(0)
    return true
  } catch {
    return false
  }
}
