import type { EventStatus } from '@keepsend/outbox'
import {
  type DialectName,
  type OptionNames,
  type SqlText,
  allOf,
  firstEventIdAt,
  joined,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { ERROR_CLASS_NAMES, type ErrorClass } from '../error-classes.ts'
import { checkBounds, checkOneOf } from '../errors.ts'
import { TIME_RANGE, type TimeRange, checkTimes } from '../time-range.ts'

/** The last response of a delivery by its class; `no_response`: the last attempt got none; `none_yet`: no attempt was made. */
export const HTTP_CLASSES = ['2xx', '3xx', '4xx', '5xx', 'no_response', 'none_yet'] as const

export type HttpClass = (typeof HTTP_CLASSES)[number]

export interface DeliveryFilter extends TimeRange {
  /** Rows of a page: 1–1,000. */
  limit: number
  /** The `next` of the page before. */
  before?: string | undefined
  /** With `history`, `completed` has delivered ones whose rows are gone too. */
  status?: EventStatus | undefined
  endpointId?: string | undefined
  type?: string | undefined
  eventId?: string | undefined
  /** The class of the last error. */
  errorClass?: ErrorClass | undefined
  /** The last status that the receiver answered. */
  httpStatus?: number | undefined
  /** The class of the last response. */
  httpClass?: HttpClass | undefined
}

export const DELIVERY_LIST_OPTIONS = {
  limit: 'number',
  before: 'text',
  status: 'text',
  endpointId: 'text',
  type: 'text',
  eventId: 'text',
  errorClass: 'text',
  httpStatus: 'number',
  httpClass: 'text',
  ...TIME_RANGE,
} satisfies OptionNames<DeliveryFilter>

/** The keys of rows whose events are in the range: below `before` and above `after`. */
export function keysBetween(
  { since, until }: TimeRange,
  before: string,
): { before: string; after: string | undefined } {
  checkTimes({ since, until })
  const end = until === undefined ? before : keyAt(until)
  return { before: end < before ? end : before, after: since === undefined ? undefined : keyAt(since) }
}

// The last time that a UUIDv7 can have.
function keyAt(ms: number): string {
  return firstEventIdAt(Math.min(ms, 2 ** 48 - 1))
}

export const DELIVERY_STATUSES = ['pending', 'completed', 'failed', 'held'] as const

/** @throws {EngineError} `invalid_option`, naming the filter, its values or bounds, and the value */
export function checkFilter({ status, errorClass, httpClass, httpStatus }: Compared): void {
  checkOneOf('status', status, DELIVERY_STATUSES)
  checkOneOf('errorClass', errorClass, ERROR_CLASS_NAMES)
  checkOneOf('httpClass', httpClass, HTTP_CLASSES)
  // A status has three digits, and Postgres compares whole numbers alone.
  if (httpStatus !== undefined) checkBounds('httpStatus', httpStatus, 100, 999)
}

type Compared = Omit<DeliveryFilter, 'limit'>

/** Whether a delivered delivery can match: it has no error, and a status of 2xx. */
export function canBeDelivered({ status, errorClass, httpStatus, httpClass }: Compared): boolean {
  if (status !== undefined && status !== 'completed') return false
  if (errorClass !== undefined || (httpClass !== undefined && httpClass !== '2xx')) return false
  return httpStatus === undefined || (httpStatus >= 200 && httpStatus <= 299)
}

/** The conditions on a row of `pending_events` that are compared row by row. */
export function rowConditions(dialect: DialectName, filter: Compared): SqlText[] {
  const { status, endpointId, type, errorClass, httpStatus, httpClass } = filter
  const conditions: SqlText[] = []
  if (status !== undefined) conditions.push(sqlText`pending_events.status = ${status}`)
  if (endpointId !== undefined) conditions.push(sqlText`pending_events.endpoint_id = ${endpointId}`)
  if (type !== undefined) conditions.push(sqlText`pending_events.event_type = ${type}`)
  if (errorClass !== undefined) conditions.push(sqlText`${ERROR_CLASS[dialect]} = ${errorClass}`)
  if (httpStatus !== undefined) conditions.push(sqlText`pending_events.last_status = ${httpStatus}`)
  if (httpClass !== undefined) conditions.push(IS_OF_CLASS[httpClass])
  return conditions
}

const NO_STATUS = raw('pending_events.last_status is null')

const IS_OF_CLASS: Record<HttpClass, SqlText> = {
  '2xx': raw('pending_events.last_status between 200 and 299'),
  '3xx': raw('pending_events.last_status between 300 and 399'),
  '4xx': raw('pending_events.last_status between 400 and 499'),
  // A status beyond 599 is treated as a server error (RFC 9110, section 15).
  '5xx': raw('pending_events.last_status >= 500'),
  no_response: allOf([NO_STATUS, raw('pending_events.last_error is not null')]),
  none_yet: allOf([NO_STATUS, raw('pending_events.last_error is null')]),
}

/** The class of a row's error as `classOf` has it, in SQL: the word before the colon, or the class of the status. */
function errorClassIn(word: string): SqlText {
  const digit = `case when substr(pending_events.last_error, 1, 5) = 'HTTP ' then substr(pending_events.last_error, 6, 1)
    else substr(cast(pending_events.last_status as text), 1, 1) end`
  return sqlText`
    case when pending_events.last_error is null then null
      when ${raw(word)} in (${NAMES}) then ${raw(word)}
      when ${raw(digit)} in ('3', '4') then 'http_' || ${raw(digit)} || 'xx'
      when ${raw(digit)} between '5' and '9' then 'http_5xx'
      else 'other' end`
}

const NAMES = joined(
  ERROR_CLASS_NAMES.map((name) => raw(`'${name}'`)),
  ', ',
)

const ERROR_CLASS: Record<DialectName, SqlText> = {
  sqlite: errorClassIn(`substr(pending_events.last_error, 1, instr(pending_events.last_error || ':', ':') - 1)`),
  postgres: errorClassIn(`split_part(pending_events.last_error, ':', 1)`),
}
