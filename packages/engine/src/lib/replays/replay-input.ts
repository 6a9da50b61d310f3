import type { OptionNames } from '@keepsend/outbox/internal'
import { DELIVERY_LIST_OPTIONS, type DeliveryFilter, checkFilter } from '../deliveries/delivery-filter.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { TIME_RANGE, type TimeRange, checkRange } from '../time-range.ts'

/** Which deliveries to send again. Times are milliseconds since the epoch. */
export type ReplaySelection = ReplaySettled | ReplayMissed | ReplayMatching | ReplayIds

/**
 * Failed deliveries, or delivered ones, which need `history.events` and `history.attempts: 'all'`. `since` and `until` mean the
 * time of the settle.
 */
export interface ReplaySettled extends TimeRange {
  what: 'failed' | 'delivered'
  /** @default every endpoint of the workspace, one after the other */
  endpointId?: string | undefined
}

/**
 * Everything that one endpoint missed: events that match its subscriptions now and that failed, expired, or were never made for it.
 * Needs `history.events` and `history.attempts: 'all'`. `since` and `until` mean the time of the event.
 */
export interface ReplayMissed extends TimeRange {
  what: 'missed'
  endpointId: string
}

/** The deliveries of a list: the filters of `deliveries.list`. */
export interface ReplayMatching extends Omit<DeliveryFilter, 'limit' | 'before'> {
  what: 'matching'
}

/** Named deliveries. */
export interface ReplayIds {
  what: 'ids'
  /** 1–1,000. */
  ids: readonly string[]
}

export type ReplayInput = ReplaySelection & {
  /** At most this many deliveries a second: 1–10,000. @default as fast as each endpoint takes them */
  rate?: number | undefined
}

/** The option of a dry run, which counts and writes nothing. */
export interface DryRunOption {
  /** @default false */
  dryRun?: boolean | undefined
}

const COMMON = { what: 'text', rate: 'number', dryRun: 'boolean' } as const
const { limit: _limit, before: _before, ...LIST_FILTER } = DELIVERY_LIST_OPTIONS

type InputOf<Kind> = Extract<ReplayInput, { what: Kind }> & DryRunOption

/** The options of each kind of replay. */
export const REPLAY_INPUTS = {
  failed: { ...COMMON, endpointId: 'text', ...TIME_RANGE } satisfies OptionNames<InputOf<'failed' | 'delivered'>>,
  delivered: { ...COMMON, endpointId: 'text', ...TIME_RANGE } satisfies OptionNames<InputOf<'failed' | 'delivered'>>,
  missed: { ...COMMON, endpointId: 'text', ...TIME_RANGE } satisfies OptionNames<InputOf<'missed'>>,
  matching: { ...COMMON, ...LIST_FILTER } satisfies OptionNames<InputOf<'matching'>>,
  ids: { ...COMMON, ids: 'texts' } satisfies OptionNames<InputOf<'ids'>>,
} as const

export const REPLAY_WHATS = Object.keys(REPLAY_INPUTS) as ReplaySelection['what'][]

/** The most ids of a replay: a step rewrites their list. */
export const MAX_IDS = 1000
export const MAX_RATE = 10_000

/** An event and an endpoint: the form of the id of every delivery. */
export const DELIVERY_ID = /^[\w-]{1,70}\.[\w-]{1,69}$/

/** @throws {EngineError} `invalid_option`, naming option, bound and value; `invalid_request` for a text that is no id */
export function checkReplay(input: ReplayInput & DryRunOption): void {
  if (!REPLAY_WHATS.includes(input.what))
    throw new EngineError(
      'invalid_option',
      `what must be one of ${REPLAY_WHATS.join(', ')}; found ${JSON.stringify(input.what)}`,
    )
  checkNames(`a replay of ${input.what}`, REPLAY_INPUTS[input.what], input)
  if (input.rate !== undefined) checkBounds('rate', input.rate, 1, MAX_RATE)
  if (input.what === 'ids') {
    checkBounds('the number of ids', input.ids.length, 1, MAX_IDS)
    const wrong = input.ids.find((id) => !DELIVERY_ID.test(id))
    if (wrong !== undefined)
      throw new EngineError('invalid_request', `ids must be ids of deliveries; found ${JSON.stringify(wrong)}`)
    return
  }
  checkRange(input)
  if (input.what === 'matching') checkFilter(input)
  for (const [name, value] of Object.entries(input)) {
    if (typeof value !== 'string' || (value.isWellFormed() && !value.includes('\0') && value.length <= MAX_TEXT))
      continue
    throw new EngineError(
      'invalid_request',
      `${name} must be at most ${MAX_TEXT} characters of well-formed text without a NUL; found ${JSON.stringify(value)}`,
    )
  }
  if (input.what === 'missed' && input.endpointId === undefined)
    throw new EngineError('invalid_request', 'a replay of missed events needs the endpointId that missed them')
}

const MAX_TEXT = 255
