import type { OptionNames, OptionsOf } from '@keepsend/outbox/internal'
import { EngineError, checkBounds } from '../errors.ts'
import { checkSearchPaths } from './search-values.ts'

/** Which attempts an engine with `history` records, and how much of each. */
export interface HistoryOptions {
  /** `failed`: only attempts that did not deliver. @default 'all'; on D1, which bills each row, 'failed' */
  attempts: 'all' | 'failed'
  /** Which attempts record the headers and the body of their response. @default 'failed' */
  responses: 'none' | 'failed' | 'all'
  /** Bytes of a response body to record: 0–65,536. @default 1024 */
  bodyBytes: number
  /**
   * Records each event once, with its payload, also one that no endpoint receives. On D1 it adds at least 5 written rows to an
   * event. @default true; on D1 false
   */
  events: boolean
  /**
   * Paths in the payload by whose values events are found, such as `data.order.id`: at most 5, each 1–200 characters. Needs `events`;
   * on D1 each value is one more written row. See docs/history.md. @default none
   */
  search: readonly string[]
  /** How long attempts, events and problems are retained, in ms: 60,000–63,072,000,000 (2 years). @default 2_592_000_000 (30 days) */
  retentionMs: number
  /**
   * Whether maintenance counts attempts by endpoint and time: see docs/statistics.md. Needs `attempts: 'all'`.
   *
   * @default true; false with `attempts: 'failed'`, and on D1
   */
  statistics: boolean
  /** How long the headers and bodies of responses are retained, in ms: 60,000 to `retentionMs`. @default `retentionMs` */
  bodiesRetentionMs: number
}

export const HISTORY_OPTIONS = {
  attempts: 'text',
  responses: 'text',
  bodyBytes: 'number',
  events: 'boolean',
  search: 'texts',
  retentionMs: 'number',
  bodiesRetentionMs: 'number',
  statistics: 'boolean',
} satisfies OptionNames<HistoryOptions>

const DAY_MS = 86_400_000
export const MAX_RETENTION_MS = 730 * DAY_MS
export const HISTORY_DEFAULTS = {
  attempts: 'all',
  responses: 'failed',
  bodyBytes: 1024,
  events: true,
  search: [],
  retentionMs: 30 * DAY_MS,
} satisfies Partial<HistoryOptions>

/**
 * Checks the option `history` of an engine, and fills in the defaults; undefined if it is off.
 *
 * @param isBilled whether the database bills each row that is written
 */
export function readHistory(
  given: boolean | OptionsOf<HistoryOptions> | undefined,
  isBilled: boolean,
): HistoryOptions | undefined {
  if (!given) return undefined
  const options = given === true ? {} : given
  const attempts = options.attempts ?? (isBilled ? 'failed' : HISTORY_DEFAULTS.attempts)
  const retentionMs = options.retentionMs ?? HISTORY_DEFAULTS.retentionMs
  const history: HistoryOptions = {
    attempts,
    responses: options.responses ?? HISTORY_DEFAULTS.responses,
    bodyBytes: options.bodyBytes ?? HISTORY_DEFAULTS.bodyBytes,
    events: options.events ?? (isBilled ? false : HISTORY_DEFAULTS.events),
    search: options.search ?? HISTORY_DEFAULTS.search,
    retentionMs,
    bodiesRetentionMs: options.bodiesRetentionMs ?? retentionMs,
    statistics: options.statistics ?? (attempts === 'all' && !isBilled),
  }
  checkOneOf('history.attempts', history.attempts, ['all', 'failed'])
  checkOneOf('history.responses', history.responses, ['none', 'failed', 'all'])
  checkBounds('history.bodyBytes', history.bodyBytes, 0, 65_536)
  checkBounds('history.retentionMs', retentionMs, 60_000, MAX_RETENTION_MS)
  checkBounds('history.bodiesRetentionMs', history.bodiesRetentionMs, 60_000, retentionMs)
  checkSearchPaths(history)
  if (history.statistics && attempts === 'failed')
    throw new EngineError(
      'invalid_option',
      "history.statistics must be false with history.attempts 'failed': it counts attempts, and those that delivered are not recorded; found true",
    )
  return history
}

function checkOneOf(option: string, value: string, values: readonly string[]): void {
  if (values.includes(value)) return
  throw new EngineError('invalid_option', `${option} must be ${values.join(' or ')}; found ${value}`)
}
