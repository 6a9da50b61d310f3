import type { Text } from '../language/text.ts'
import { numberFormat } from './formats.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A thin gap that does not break, between a number and its unit. */
const GAP = '\u202f'

const UNITS = [
  [DAY, 'unit.d'],
  [HOUR, 'unit.h'],
  [MINUTE, 'unit.min'],
  [SECOND, 'unit.s'],
] as const

/**
 * A time that somebody waits for, or that has passed: `48 s`, `12 min`, `3 h`, `2 d`.
 *
 * @param units how many units to show: 2 is `4 min 12 s`, where somebody waits for it
 */
export function showSpan(ms: number, text: Text, units: 1 | 2 = 1): string {
  const whole = Math.max(0, Math.floor(ms / SECOND)) * SECOND
  const at = UNITS.findIndex(([size]) => whole >= size)
  if (at === -1) return `0${GAP}${text('unit.s')}`
  const shown: string[] = []
  let rest = whole
  for (const [size, unit] of UNITS.slice(at, at + units)) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) shown.push(`${count}${GAP}${text(unit)}`)
  }
  return shown.join(' ')
}

/** How long something took, in ms: `187 ms`, `3.12 s`, `15.0 s`, `2 min`. */
export function showTook(ms: number, text: Text, language: string): string {
  if (ms >= 10 * MINUTE) return showSpan(ms, text)
  const [value, unit, digits] =
    ms < 1
      ? ([ms, 'unit.ms', 1] as const)
      : ms < 999.5
        ? ([ms, 'unit.ms', 0] as const)
        : ([ms / SECOND, 'unit.s', ms < 9995 ? 2 : ms < 99_950 ? 1 : 0] as const)
  const format = numberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return `${format.format(value)}${GAP}${text(unit)}`
}
