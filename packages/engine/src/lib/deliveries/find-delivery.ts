import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, eventIdOf, pendingEvents, raw, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import { type Attempt, attemptRows, bodyIf } from '../history/attempt-list.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { TRACE_ID } from '../history/record-event.ts'
import { retainedAttempts } from '../history/retained-attempts.ts'
import { jsonRow, readRow } from '../idempotency/idempotent-change.ts'
import type { Page } from '../page.ts'
import { DELIVERED, type DeliveredAttempt, deliveredState, isLast } from './delivered.ts'
import { STATE, toDelivery, toState } from './delivery-columns.ts'
import type { DeliveryState } from './delivery.ts'

/** A delivery; with `history` also one that was delivered and whose row is gone. */
export interface FoundDelivery extends DeliveryState {
  /** Null if its row is gone. */
  payload: string | null
}

/** A delivery without its payload, with its attempts. */
export interface DeliveryWithAttempts extends DeliveryState {
  /** That of its event, and so of each attempt; null: none was given, or the event is not recorded. */
  traceId: string | null
  /** The latest 100, the latest first; `attempts.list` continues with `next`. Undefined without `history`. */
  latestAttempts: Page<Attempt> | undefined
}

/** Which delivery. */
interface Key {
  id: string
  /** Undefined: of any workspace. */
  workspaceId: string | undefined
}

const MAX_ATTEMPTS = 100

export async function findDelivery(
  db: OutboxDatabase,
  key: Key,
  history: HistoryOptions | undefined,
): Promise<FoundDelivery> {
  const { rows } = await db.run(
    sqlText`select ${pendingEvents.all} from pending_events where id = ${key.id} and ${ownedBy(key.workspaceId)}`,
  )
  if (rows[0]) return toDelivery(rows[0])
  if (!history) throw notRetained()
  // After the row: a delivery that is delivered meanwhile is not missed.
  const delivered = await db.run<DeliveredAttempt>(sqlText`
    select ${DELIVERED} from keepsend_attempts as attempt ${db.dialect.by('keepsend_attempts_delivery')}
    where ${isAttemptOf(db, key, history)} and case when outcome = 'delivered' and ${isLast(db)} then true else false end`)
  const [attempt] = delivered.rows
  if (!attempt) throw notRetained()
  return { ...deliveredState(db.dialect, attempt), payload: null }
}

/** One statement, so that a row and its attempts are those of one point in time. */
export async function findWithAttempts(
  db: OutboxDatabase,
  key: Key,
  history: HistoryOptions | undefined,
): Promise<DeliveryWithAttempts> {
  const stored = sqlText`select ${STATE} from pending_events where id = ${key.id} and ${ownedBy(key.workspaceId)}`
  if (!history) {
    const { rows } = await db.run(stored)
    if (!rows[0]) throw notRetained()
    return { ...toState(rows[0]), traceId: null, latestAttempts: undefined }
  }
  const { hasBody } = retainedAttempts(db, { ...history, workspaceId: key.workspaceId })
  const { rows } = await db.run<Row & { id: string | null; stored: string | null; traceId: string | null }>(sqlText`
    select cast((select ${jsonRow(db, STATE_NAMES)} from (${stored}) as stored) as text) as "stored",
      ${traceOf(key, history)} as "traceId",
      ${attemptRows.except(['headers', 'body'], 'attempt')}, ${bodyIf(hasBody)}
    from (select 1 as one) as one left join keepsend_attempts as attempt on attempt.id ${db.dialect.among(sqlText`
      select attempt.id from keepsend_attempts as attempt ${db.dialect.by('keepsend_attempts_delivery')}
      where ${isAttemptOf(db, key, history)} order by attempt.id desc ${db.dialect.first(MAX_ATTEMPTS + 1)}`)}
    order by attempt.id desc`)
  const attempts = rows
    .filter(({ id }) => id !== null)
    .map(({ stored: _, traceId: _trace, ...row }) => attemptRows.read(row))
  const shown = attempts.slice(0, MAX_ATTEMPTS)
  const next = attempts.length > MAX_ATTEMPTS ? shown.at(-1)?.id : undefined
  const last = attempts.find(({ outcome }) => outcome !== 'superseded')
  const state = stateOf(db, rows[0]?.stored, last)
  return { ...state, traceId: rows[0]?.traceId ?? null, latestAttempts: { rows: shown, next, complete: true } }
}

/** The trace id of its event. Two workspaces may have published under the id, so it is read in that of the delivery. */
function traceOf({ id, workspaceId }: Key, { events }: HistoryOptions): SqlText {
  if (!events) return raw('null')
  const owner =
    workspaceId === undefined
      ? sqlText`coalesce(attempt.workspace_id, (select workspace_id from pending_events where id = ${id}))`
      : sqlText`${workspaceId}`
  return sqlText`(
        select ${TRACE_ID} from keepsend_events where id = ${eventIdOf(id)} and workspace_id = ${owner})`
}

function stateOf(
  { dialect }: OutboxDatabase,
  stored: string | null | undefined,
  last: Attempt | undefined,
): DeliveryState {
  if (typeof stored === 'string') return toState(readRow(STATE_NAMES, stored))
  if (last?.outcome !== 'delivered') throw notRetained()
  return deliveredState(dialect, { ...last, id: last.deliveryId, attemptId: last.id })
}

const STATE_NAMES = pendingEvents.names.filter((name) => name !== 'payload')

function ownedBy(workspaceId: string | undefined): SqlText {
  return workspaceId === undefined ? raw('1 = 1') : sqlText`workspace_id = ${workspaceId}`
}

/** The `case` hides all but the delivery from the planner, so that it can only use its index. */
function isAttemptOf(db: OutboxDatabase, { id, workspaceId }: Key, history: HistoryOptions): SqlText {
  const { least } = retainedAttempts(db, { ...history, workspaceId })
  return sqlText`attempt.delivery_id = ${id} and case when ${ownedBy(workspaceId)}
        and attempt.id >= ${least} then true else false end`
}

function notRetained(): EngineError {
  return new EngineError('not_retained', 'this delivery does not exist, or is no longer stored')
}
