import type { OutboxDatabase } from '@keepsend/outbox'
import {
  type OptionNames,
  type Row,
  type SqlText,
  allOf,
  createCodec,
  json,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { ERROR_CLASS_NAMES, type ErrorClass } from '../error-classes.ts'
import { EngineError, checkBounds, checkNames, checkOneOf } from '../errors.ts'
import { hasIndex } from '../has-index.ts'
import type { Page } from '../page.ts'
import { TIME_RANGE, type TimeRange, checkTimes } from '../time-range.ts'
import type { attempts } from '../sqlite/history-tables.ts'
import { type WorkspaceScope, readScope } from '../workspace-id.ts'
import { type AttemptRange, attemptRange, upperId } from './attempt-range.ts'
import { boundedPage } from './bounded-page.ts'
import { readByIndex } from './read-by-index.ts'
import { partitionBounds, retainedAttempts } from './retained-attempts.ts'
import type { HistoryOptions } from './history-options.ts'
import { OUTCOME_FILTERS, type OutcomeFilter, hasFailed } from './attempt-end.ts'

/** A recorded attempt. Durations are microseconds, times milliseconds since the epoch. */
export interface Attempt extends Omit<typeof attempts.$inferSelect, 'id' | 'errorClass'> {
  /** Digits: the order of ids is the order in which the attempts were settled. */
  id: string
  errorClass: ErrorClass | null
}

/** `since` and `until` mean the time at which an attempt was settled. */
export interface AttemptFilter extends TimeRange {
  /** Attempts of a page: 1–1,000. */
  limit: number
  /** The `next` of the page before. */
  before?: string | undefined
  deliveryId?: string | undefined
  endpointId?: string | undefined
  type?: string | undefined
  /** `unsuccessful`: `retry`, `deferred` or `failed`. */
  outcome?: OutcomeFilter | undefined
  errorClass?: ErrorClass | undefined
  httpStatus?: number | undefined
}

export const ATTEMPT_FILTER = {
  limit: 'number',
  before: 'text',
  deliveryId: 'text',
  endpointId: 'text',
  type: 'text',
  outcome: 'text',
  errorClass: 'text',
  httpStatus: 'number',
  ...TIME_RANGE,
} satisfies OptionNames<AttemptFilter>

/** Recorded attempts of one workspace, or of all. */
export interface AttemptStore {
  /**
   * Lists attempts, the last settled first. Delivery, endpoint, `unsuccessful` and the times are found by an index; what else is
   * filtered is compared row by row, at most 2,000 a page. So is `unsuccessful` across all workspaces.
   *
   * @throws {EngineError} `not_retained`: the engine has no `history`
   */
  list(workspaceId: WorkspaceScope, filter: AttemptFilter): Promise<Page<Attempt>>
}

const MAX_LIMIT = 1000

/** The columns of `keepsend_attempts`. */
export const attemptRows = createCodec<typeof attempts, Attempt>({
  id: { column: 'id', readAs: (row) => `cast(${row}id as text)` },
  deliveryId: 'delivery_id',
  gen: 'gen',
  workspaceId: 'workspace_id',
  endpointId: 'endpoint_id',
  type: 'event_type',
  number: 'number',
  reason: 'reason',
  startedAt: 'started_at',
  queueUs: 'queue_us',
  dnsUs: 'dns_us',
  connectUs: 'connect_us',
  tlsUs: 'tls_us',
  firstByteUs: 'first_byte_us',
  totalUs: 'total_us',
  outcome: 'outcome',
  httpStatus: 'http_status',
  errorClass: 'error_class',
  error: 'error',
  url: 'url',
  headers: json('headers'),
  body: 'body',
})

/** The headers and the body of an `attempt`, if they are retained. */
export function bodyIf(hasBody: SqlText): SqlText {
  return sqlText`case when ${hasBody} then attempt.headers end as "headers", case when ${hasBody} then attempt.body end as "body"`
}

export function createAttemptStore(db: OutboxDatabase, history: HistoryOptions | undefined): AttemptStore {
  const { dialect } = db
  return {
    async list(scope, filter) {
      checkNames('attempts.list', ATTEMPT_FILTER, filter)
      const { limit, before } = filter
      const workspaceId = readScope(scope)
      checkBounds('limit', limit, 1, MAX_LIMIT)
      checkTimes(filter)
      checkOneOf('outcome', filter.outcome, OUTCOME_FILTERS)
      checkOneOf('errorClass', filter.errorClass, ERROR_CLASS_NAMES)
      if (filter.httpStatus !== undefined) checkBounds('httpStatus', filter.httpStatus, 100, 999)
      if (!history) throw new EngineError('not_retained', 'attempts are not recorded: this engine has no history')
      if (before !== undefined && !isAttemptId(before))
        throw new EngineError('invalid_request', `before must be the next of an earlier page; found ${before}`)
      const { since, until } = filter
      // The attempts of a delivery are in no order of their index.
      const isOrdered = filter.deliveryId === undefined
      const upper = upperId(dialect, before, until)
      const bounds = isOrdered ? await partitionBounds(db, history, { since, upper }) : []
      const range = rangeOf(dialect, history, { workspaceId, upper, bounds }, filter)
      if (
        dialect.isBilled &&
        range.index !== undefined &&
        UNBILLED.has(range.index) &&
        !(await hasIndex(db, range.index))
      )
        throw new EngineError('not_retained', NO_INDEX)
      const { least, hasBody } = retainedAttempts(db, { ...history, workspaceId }, since)
      const compared = comparisonsOf(workspaceId, filter)
      const page = boundedPage(db, { range, least, position: 'id', compared, rows: limit + 1 })
      const statement = sqlText`
        with ${page.tables}
        select cast(edge.reached as text) as "reached", ${attemptRows.except(['headers', 'body'], 'attempt')}, ${bodyIf(hasBody)}
        from edge ${page.join}`
      const { rows } = await (isOrdered ? readByIndex<FoundAttempt>(db, statement) : db.run<FoundAttempt>(statement))
      return pageOf(rows, limit)
    },
  }
}

// D1 has these only if its host has applied them: each writes one more row for every attempt.
const UNBILLED = new Set(['keepsend_attempts_workspace', 'keepsend_attempts_endpoint'])
const NO_INDEX =
  'a list of delivered attempts needs the indexes of 0004_history_lists.sql of @keepsend/engine, which D1 does not have by default: apply them, or ask for outcome unsuccessful'

/** A row of the page, and the last id that was read, if there may be more. If none was found, one row with only that. */
type FoundAttempt = Row & { id: string | null; reached: string | null }

function pageOf(found: readonly FoundAttempt[], limit: number): Page<Attempt> {
  // Sorted here: to a planner that follows indexes an order is a reason to read all of the primary key.
  const rows = found.filter(({ id }) => id !== null).toSorted(newestFirst)
  const shown = rows.slice(0, limit).map(({ reached: _, ...row }) => attemptRows.read(row))
  if (rows.length > limit) return { rows: shown, next: shown.at(-1)?.id, complete: true }
  const reached = found[0]?.reached ?? undefined
  return { rows: shown, next: reached, complete: reached === undefined }
}

function newestFirst(one: FoundAttempt, other: FoundAttempt): number {
  return BigInt(one.id ?? 0) < BigInt(other.id ?? 0) ? 1 : -1
}

/** An id has at most 19 digits: 2^63. */
function isAttemptId(text: string): boolean {
  return /^[0-9]{1,19}$/.test(text) && BigInt(text) < 2n ** 63n
}

/** The index that finds the rows, and its range. */
function rangeOf(
  dialect: OutboxDatabase['dialect'],
  history: HistoryOptions,
  { workspaceId, upper, bounds }: { workspaceId: string | undefined; upper: bigint; bounds: readonly SqlText[] },
  { deliveryId, endpointId, outcome }: AttemptFilter,
): AttemptRange {
  // Where only failures are recorded, their index has them all: D1 has no other. Those of all workspaces have none.
  const isOfFailures =
    !isAcross(workspaceId, endpointId) &&
    (history.attempts === 'failed' || (outcome !== undefined && outcome !== 'delivered' && outcome !== 'superseded'))
  if (deliveryId === undefined)
    return attemptRange(dialect, { workspaceId, endpointId }, { upper, isOfFailures, bounds })
  // A delivery has few attempts, so reading those of another workspace's costs little, and shows nothing. The `case` hides what
  // else is compared from the planner, so that it can only use the index of the delivery.
  const isOwn = allOf([
    raw('1 = 1'),
    ...(workspaceId === undefined ? [] : [sqlText`attempt.workspace_id = ${workspaceId}`]),
    ...(endpointId === undefined ? [] : [sqlText`attempt.endpoint_id = ${endpointId}`]),
  ])
  return {
    index: 'keepsend_attempts_delivery',
    // An expression: no planner reads all ids in their order to find the latest of this delivery.
    newestFirst: raw('attempt.id + 0 desc'),
    from: (least) => sqlText`attempt.delivery_id = ${deliveryId} and case
        when attempt.id >= ${least} and attempt.id < cast(${String(upper)} as bigint) and ${isOwn} then true else false end`,
  }
}

/** Whether the attempts of all workspaces and endpoints are read, by their ids. */
function isAcross(workspaceId: string | undefined, endpointId: string | undefined): boolean {
  return workspaceId === undefined && endpointId === undefined
}

function comparisonsOf(
  workspaceId: string | undefined,
  { deliveryId, endpointId, type, outcome, errorClass, httpStatus }: AttemptFilter,
): SqlText[] {
  const compared: SqlText[] = []
  if (type !== undefined) compared.push(sqlText`attempt.event_type = ${type}`)
  if (outcome !== undefined && outcome !== 'unsuccessful') compared.push(sqlText`attempt.outcome = ${outcome}`)
  // Elsewhere the range has it.
  const isCompared = deliveryId !== undefined || isAcross(workspaceId, endpointId)
  if (outcome === 'unsuccessful' && isCompared) compared.push(hasFailed('attempt'))
  if (errorClass !== undefined) compared.push(sqlText`attempt.error_class = ${errorClass}`)
  if (httpStatus !== undefined) compared.push(sqlText`attempt.http_status = ${httpStatus}`)
  return compared
}
