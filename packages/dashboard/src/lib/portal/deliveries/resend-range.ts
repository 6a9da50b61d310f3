import { type Endpoint, EngineError, type ReplaySettled, type ReplayMissed } from '@keepsend/engine'
import { RANGES, rangeMs } from '../../history/delivery-choices.ts'
import type { Visit } from '../../site/visit.ts'

/** The deliveries that a customer may send again. */
export const WHATS = ['failed', 'missed'] as const

type Kind = (typeof WHATS)[number]

/** The deliveries to send again, of which time: from a query or a form, under the same names in both. */
export interface ResendRange {
  what: Kind
  /** The range of the form; undefined: `since` was given. */
  time: string | undefined
  since: number
  /** Undefined: now. */
  until: number | undefined
}

/** @throws {EngineError} `invalid_request` for a time that is none */
export function resendRangeOf(value: Visit['query'], now: number): ResendRange {
  const time = RANGES.find(([range]) => range === value('time'))?.[0]
  const since = timeIn('since', value('since'))
  return {
    what: WHATS.find((one) => one === value('what')) ?? 'failed',
    time: time ?? (since === undefined ? RANGES[1]?.[0] : undefined),
    since: time === undefined && since !== undefined ? since : now - rangeMs(time),
    until: timeIn('until', value('until')),
  }
}

/** The input of the job. */
export function inputOf(
  { id: endpointId }: Endpoint,
  { what, since, until }: ResendRange,
): ReplaySettled | ReplayMissed {
  const range = { endpointId, since, until }
  return what === 'missed' ? { what, ...range } : { what: 'failed', ...range }
}

function timeIn(name: string, written: string | undefined): number | undefined {
  if (written === undefined) return undefined
  if (/^\d{1,15}$/.test(written)) return Number(written)
  throw new EngineError('invalid_request', `${name} must be a time in ms since 1970; found ${written.slice(0, 100)}`)
}
