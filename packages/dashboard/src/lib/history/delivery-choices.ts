import { type DeliveryFilter, ERROR_CLASSES, type ErrorClass, type HttpClass } from '@keepsend/engine'
import type { PlainKey } from '../language/text.ts'

export const PAGE_ROWS = 50
const HOUR_MS = 3_600_000

/** How far back a list reaches. A list without a bound would read all that is stored. */
export const RANGES: readonly (readonly [value: string, name: PlainKey, ms: number])[] = [
  ['1h', 'range.1h', HOUR_MS],
  ['24h', 'range.24h', 24 * HOUR_MS],
  ['7d', 'range.7d', 7 * 24 * HOUR_MS],
  ['30d', 'range.30d', 30 * 24 * HOUR_MS],
]
export const DEFAULT_RANGE = '24h'

/** The length of a range of a query, in ms; that of the default one if it names none. */
export function rangeMs(asked: string | undefined): number {
  return (RANGES.find(([value]) => value === asked) ?? RANGES[1])?.[2] ?? 24 * HOUR_MS
}

export const STATUSES: readonly (readonly [value: NonNullable<DeliveryFilter['status']>, name: PlainKey])[] = [
  ['completed', 'state.delivered'],
  ['pending', 'state.pending'],
  ['held', 'state.held'],
  ['failed', 'state.failed'],
]

export const CLASSES: readonly (readonly [value: HttpClass, name: PlainKey])[] = [
  ['2xx', 'http.2xx'],
  ['3xx', 'http.3xx'],
  ['4xx', 'http.4xx'],
  ['5xx', 'http.5xx'],
  ['no_response', 'http.no_response'],
  ['none_yet', 'http.none_yet'],
]

/** The error class that a query names. */
export function errorClassIn(value: string | undefined): ErrorClass | undefined {
  return value !== undefined && Object.hasOwn(ERROR_CLASSES, value) ? (value as ErrorClass) : undefined
}

/** The choice that a query names; undefined if it names none. */
export function oneOf<V extends string>(
  choices: readonly (readonly [V, ...unknown[]])[],
  value: string | undefined,
): V | undefined {
  return choices.find(([choice]) => choice === value)?.[0]
}

export const FILTERS = [
  'q',
  'status',
  'type',
  'endpoint',
  'workspace',
  'http',
  'error',
  'code',
  'event',
  'time',
  'before',
] as const

/** The filter of a list, as the query has it. */
export type Filters = Record<(typeof FILTERS)[number], string | undefined>
