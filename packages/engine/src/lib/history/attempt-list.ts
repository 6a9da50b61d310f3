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
import type { ErrorClass } from '../error-classes.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { hasIndex } from '../has-index.ts'
import type { Page } from '../page.ts'
import type { attempts } from '../sqlite/tables.ts'
import { type WorkspaceScope, readScope } from '../workspace-id.ts'
import { attemptRange } from './attempt-range.ts'
import type { HistoryOptions } from './history-options.ts'
import { type AttemptOutcome, hasFailed } from './attempt-end.ts'

/** A recorded attempt. Durations are microseconds, times milliseconds since the epoch. */
export interface Attempt extends Omit<typeof attempts.$inferSelect, 'id' | 'errorClass'> {
  /** Digits: the order of ids is the order in which the attempts were settled. */
  id: string
  errorClass: ErrorClass | null
}

export interface AttemptFilter {
  /** Attempts of a page: 1–1,000. */
  limit: number
  /** The `next` of the page before. */
  before?: string | undefined
  deliveryId?: string | undefined
  endpointId?: string | undefined
  type?: string | undefined
  /** `unsuccessful`: `retry`, `deferred` or `failed`. */
  outcome?: AttemptOutcome | 'unsuccessful' | undefined
  errorClass?: ErrorClass | undefined
  httpStatus?: number | undefined
  /** Settled at or after this time, ms since the epoch. */
  since?: number | undefined
  /** Settled before this time, ms since the epoch. */
  until?: number | undefined
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
  since: 'number',
  until: 'number',
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
// Rows that a page reads at most: 2 to 4 ms beside 10 million attempts (measured).
const MAX_READ = 2000

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
      if (!history) throw new EngineError('not_retained', 'attempts are not recorded: this engine has no history')
      if (before !== undefined && !isAttemptId(before))
        throw new EngineError('invalid_request', `before must be the next of an earlier page; found ${before}`)
      const { range, hasBody } = await attemptRange(db, { ...history, workspaceId }, filter)
      // Each look at a partitioned table needs it. SQLite might read the whole range instead of a few keys.
      const pruned = dialect.name === 'postgres' ? range : []
      const {
        index,
        conditions,
        order = NEWEST_FIRST,
        whereOf = both,
      } = keysOf({ dialect, history, pruned }, workspaceId, filter)
      if (dialect.isBilled && index !== undefined && UNBILLED.has(index) && !(await hasIndex(db, index)))
        throw new EngineError('not_retained', NO_INDEX)
      const compared = comparisonsOf(filter)
      const most = compared.length === 0 ? limit + 1 : MAX_READ
      const { rows } = await db.run<FoundAttempt>(sqlText`
        with found as materialized (
          select attempt.id as id, ${COMPARED} from keepsend_attempts as attempt ${index === undefined ? raw('') : dialect.by(index)}
          where ${whereOf(conditions, range)}
          order by ${order} ${dialect.first(most)}),
        page as materialized (
          select found.id as id from found where ${allOf([raw('1 = 1'), ...compared])}
          order by found.id desc ${dialect.first(limit + 1)}),
        reached as (select case when count(*) = ${raw(String(most))} then cast(min(found.id) as text) end as id from found)
        select reached.id as "reached", ${attemptRows.except(['headers', 'body'], 'attempt')}, ${bodyIf(hasBody)}
        from reached left join keepsend_attempts as attempt
          on ${allOf([sqlText`attempt.id ${dialect.among(raw('select page.id from page'))}`, ...pruned])}
        order by attempt.id desc`)
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

function pageOf(found: readonly (Row & { id: string | null; reached: string | null })[], limit: number): Page<Attempt> {
  const rows = found.filter(({ id }) => id !== null)
  const shown = rows.slice(0, limit).map(({ reached: _, ...row }) => attemptRows.read(row))
  if (rows.length > limit) return { rows: shown, next: shown.at(-1)?.id, complete: true }
  const reached = found[0]?.reached ?? undefined
  return { rows: shown, next: reached, complete: reached === undefined }
}

/** An id has at most 19 digits: 2^63. */
function isAttemptId(text: string): boolean {
  return /^[0-9]{1,19}$/.test(text) && BigInt(text) < 2n ** 63n
}

// The columns that are compared row by row.
const COMPARED = raw(
  'attempt.event_type as event_type, attempt.outcome as outcome, attempt.error_class as error_class, attempt.http_status as http_status',
)

const NEWEST_FIRST = raw('attempt.id desc')
const both = (conditions: SqlText[], range: SqlText[]): SqlText => allOf([...conditions, ...range])

/** The index that finds the rows, in the order of their ids, and its conditions; undefined: the primary key. */
function keysOf(
  {
    dialect,
    history,
    pruned,
  }: Pick<OutboxDatabase, 'dialect'> & { history: HistoryOptions; pruned: readonly SqlText[] },
  workspaceId: string | undefined,
  { deliveryId, endpointId, outcome }: AttemptFilter,
): { index: string | undefined; conditions: SqlText[]; order?: SqlText; whereOf?: typeof both } {
  const isOwn = workspaceId === undefined ? [] : [sqlText`attempt.workspace_id = ${workspaceId}`]
  // A delivery has few attempts, so reading those of another workspace's costs little, and shows nothing.
  if (deliveryId !== undefined)
    return {
      index: 'keepsend_attempts_delivery',
      conditions: [sqlText`attempt.delivery_id = ${deliveryId}`],
      // Hidden from the planner, so that it can only use the index: Postgres might read a whole range of the primary key.
      order: raw('attempt.id + 0 desc'),
      whereOf: (conditions, range) =>
        sqlText`${allOf(conditions)} and case when ${both(isOwn, range)} then true else false end`,
    }
  // Where only failures are recorded, their index has them all: D1 has no other.
  const isOfFailures =
    history.attempts === 'failed' || (outcome !== undefined && outcome !== 'delivered' && outcome !== 'superseded')
  const failures = isOfFailures ? [FAILED] : []
  // Failures of all workspaces have no index of their own: they are compared row by row.
  if (endpointId === undefined && workspaceId === undefined) return { index: undefined, conditions: [] }
  if (endpointId === undefined) {
    const index = isOfFailures ? 'keepsend_attempts_failed' : 'keepsend_attempts_workspace'
    return { index, conditions: [...failures, ...isOwn] }
  }
  const index = isOfFailures ? 'keepsend_attempts_failed_endpoint' : 'keepsend_attempts_endpoint'
  const ofEndpoint = [...failures, sqlText`attempt.endpoint_id = ${endpointId}`]
  if (workspaceId === undefined) return { index, conditions: ofEndpoint }
  // All attempts of an endpoint are of one workspace: another's are not read one by one to be left out.
  const owner = sqlText`(
    select attempt.workspace_id from keepsend_attempts as attempt ${dialect.by(index)}
    where ${allOf([...ofEndpoint, ...pruned])} order by attempt.id desc ${dialect.first(1)})`
  return { index, conditions: [...ofEndpoint, sqlText`${owner} = ${workspaceId}`] }
}

const FAILED = hasFailed('attempt')

function comparisonsOf({ type, outcome, errorClass, httpStatus }: AttemptFilter): SqlText[] {
  const compared: SqlText[] = []
  if (type !== undefined) compared.push(sqlText`found.event_type = ${type}`)
  if (outcome !== undefined && outcome !== 'unsuccessful') compared.push(sqlText`found.outcome = ${outcome}`)
  if (outcome === 'unsuccessful') compared.push(hasFailed('found'))
  if (errorClass !== undefined) compared.push(sqlText`found.error_class = ${errorClass}`)
  if (httpStatus !== undefined) compared.push(sqlText`found.http_status = ${httpStatus}`)
  return compared
}
