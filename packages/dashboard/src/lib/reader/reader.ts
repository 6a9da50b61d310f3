import type { Text } from '../language/text.ts'
import { showSpan, showTook } from './durations.ts'
import type { Preferences } from './preferences.ts'
import type { Times } from './times.ts'
import { numberFormat } from './formats.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** The reader of a page: some words and facts are for one of them alone. */
export type Reads = 'operator' | 'customer'

/** Who reads a page, and how texts, numbers and times are shown to them. */
export interface Reader {
  language: string
  /** Every language that there is. */
  languages: readonly string[]
  preferences: Preferences
  text: Text
  times: Times
  /** The time of the page, ms since the epoch. */
  now: number
  /** Whether the reader may act. */
  canAct: boolean
  /** The address of a page: the mount path, and each part of `path` encoded. */
  link: Link
  /** The words of the link to the first page. */
  home: string
  /** The token of each form of this page. */
  csrf: string
}

/** `link('deliveries', id, { attempt: 2 })` is `/admin/deliveries/evt_…?attempt=2`. Values that are undefined or empty are left out. */
export type Link = (...path: (string | Query)[]) => string

export type Query = Readonly<Record<string, string | number | undefined>>

export function createLink(base: string): Link {
  return (...path) => {
    const names = path.filter((part) => typeof part === 'string').map(encodeURIComponent)
    const query = new URLSearchParams()
    for (const part of path) {
      if (typeof part === 'string') continue
      for (const [name, value] of Object.entries(part)) {
        if (value !== undefined && value !== '') query.set(name, String(value))
      }
    }
    const asked = query.size > 0 ? `?${query}` : ''
    const below = names.map((name) => `/${name}`).join('')
    return `${base}${below || (base === '' ? '/' : '')}${asked}`
  }
}

/** `48 s ago`, or `in 4 min`. */
export function showRelative({ now, text }: Reader, ms: number): string {
  return ms <= now
    ? text('time.ago', { span: showSpan(now - ms, text) })
    : text('time.in', { span: showSpan(ms - now, text) })
}

/** `14:30`, or `6 Oct, 14:30` where that is longer ago than a day. */
export function showSince({ now, times }: Reader, ms: number): string {
  return now - ms < DAY_MS ? times.minute(ms) : `${times.day(ms)}, ${times.minute(ms)}`
}

/** `4 min 12 s` until a time. */
export function showUntil({ now, text }: Reader, ms: number): string {
  return showSpan(ms - now, text, 2)
}

/** A whole span in words: `24 hours`, `7 days`. */
export function showLongSpan({ language }: Reader, ms: number): string {
  const [value, unit] =
    ms >= 2 * DAY_MS
      ? ([Math.round(ms / DAY_MS), 'day'] as const)
      : ms >= HOUR_MS
        ? ([Math.round(ms / HOUR_MS), 'hour'] as const)
        : ms >= MINUTE_MS
          ? ([Math.round(ms / MINUTE_MS), 'minute'] as const)
          : ([Math.round(ms / 1000), 'second'] as const)
  return numberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(value)
}

export function showDuration({ text, language }: Reader, ms: number): string {
  return showTook(ms, text, language)
}

export function showNumber({ language }: Reader, value: number): string {
  return numberFormat(language).format(value)
}

/** With one decimal, and never 100 % when one failed. */
export function showPercent({ language }: Reader, part: number, whole: number): string {
  if (whole === 0) return '–'
  const share = part / whole
  const format = numberFormat(language, {
    style: 'percent',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  })
  return format.format(part < whole ? Math.min(share, 0.999) : share)
}
