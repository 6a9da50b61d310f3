import {
  type InsertStatements,
  type OutboxDatabase,
  type PendingEvent,
  type SqlResult,
  type SqlText,
  Transaction,
  insertSelectStatements,
  raw,
  sqlText,
} from '@keepsend/outbox'
import type { EventQueue, QueuedEvent } from './event-queue.ts'
import { type PreparedEvent, patternsOf } from './event.ts'
import type { FewReceivers } from './few-receivers.ts'
import type { HoldReason } from './hold-reason.ts'
import { DEFAULT_MAX_AGE_MS } from './schedule.ts'

/** Where an engine publishes: the database, and how its queue wants rows to start. */
export interface PublishTarget {
  db: OutboxDatabase
  rowsStart: NonNullable<EventQueue['rowsStart']>
  dispatchAtOnce?: EventQueue['dispatchAtOnce']
  /** How long a disabled endpoint collects, in ms. @default 604_800_000 (7 days) */
  maxAgeMs?: number | undefined
  /** @default the receivers of each event are counted */
  fewReceivers?: FewReceivers | undefined
}

/**
 * The fan-out: one statement that inserts a row for each endpoint of the workspace whose subscriptions fit, and on SQLite
 * one before it that may store their payload. Inside the caller's transaction the set of receivers is frozen with the
 * change; without a subscriber there is no row. A disabled endpoint collects: its rows are held, until it has been disabled
 * for longer than a delivery may take.
 *
 * On Postgres the endpoint may be enabled between this statement's look at it and its commit: the row is then held for
 * an endpoint that is enabled, and was not there to be resumed. No lock guards that, since each publish would wait for
 * each settle of its endpoints; the next round of maintenance gives such an endpoint a wake time (`wakeStrays`).
 *
 * @param only makes it a fan-out to nobody unless this condition holds
 */
export function fanOutStatements(
  target: PublishTarget,
  event: PreparedEvent,
  only: SqlText = raw('1 = 1'),
): InsertStatements {
  const { dialect } = target.db
  const maxAgeMs = raw(String(target.maxAgeMs ?? DEFAULT_MAX_AGE_MS))
  const patterns = dialect.oneOf(patternsOf(event.type))
  const channels = dialect.oneOf([...new Set(['*', ...event.channels.flatMap(patternsOf)])])
  return forEndpoints(
    target,
    event,
    (now) => sqlText`
    workspace_id = ${event.workspaceId} and (status = 'enabled' or disabled_at > ${now} - ${maxAgeMs}) and id in (
      select endpoint_id from keepsend_subscriptions
      where workspace_id = ${event.workspaceId} and pattern ${patterns} and channel ${channels}
    ) and ${only}`,
  )
}

/** One endpoint, subscribed or not, enabled or not: a test event. */
export function fanOutToOneStatements(
  target: PublishTarget,
  event: PreparedEvent,
  endpointId: string,
): InsertStatements {
  return forEndpoints(target, event, () => sqlText`workspace_id = ${event.workspaceId} and id = ${endpointId}`)
}

function forEndpoints(
  { db, rowsStart, dispatchAtOnce, fewReceivers }: PublishTarget,
  event: PreparedEvent,
  whereAt: (now: SqlText) => SqlText,
): InsertStatements {
  const { id: eventId, workspaceId, type, payload } = event
  const joinsLine = dispatchAtOnce !== undefined
  const expectsFew = fewReceivers?.has(event)
  return insertSelectStatements(
    db.dialect,
    { eventId, workspaceId, type, payload, due: rowsStart, joinsLine, expectsFew },
    (now) => ({
      endpointId: raw('id'),
      maxAttempts: raw('max_attempts'),
      heldFor: heldFromTheStart(now),
      from: sqlText`keepsend_endpoints where ${whereAt(now)}`,
    }),
  )
}

/** Why an endpoint holds a row that is published for it; null: it does not. A line for each reason. */
function heldFromTheStart(now: SqlText): SqlText {
  return sqlText`case
        when status = 'disabled' then ${HELD_AS_DISABLED}
        when paused_until > ${now} then ${HELD_AS_PAUSED}
      end`
}

const HELD_AS_DISABLED = raw(`'${'endpoint_disabled' satisfies HoldReason}'`)
const HELD_AS_PAUSED = raw(`'${'endpoint_paused' satisfies HoldReason}'`)

/**
 * Adds the fan-out of an event to a transaction.
 *
 * @returns after the commit: the rows that it inserted
 */
export function addFanOut(
  transaction: Transaction,
  target: PublishTarget,
  event: PreparedEvent,
): () => readonly InsertedRow[] {
  const inserted = addInsert(transaction, fanOutStatements(target, event))
  return () => {
    target.fewReceivers?.note(event, inserted.rows.length)
    return inserted.rows
  }
}

/** Commits the fan-out of an event alone. */
export async function fanOut(target: PublishTarget, event: PreparedEvent): Promise<readonly InsertedRow[]> {
  const transaction = new Transaction()
  const rows = addFanOut(transaction, target, event)
  await transaction.commit(target.db)
  return rows()
}

/** Adds an insert and what stands before it. */
export function addInsert(transaction: Transaction, { before, insert }: InsertStatements): SqlResult<InsertedRow> {
  transaction.addAll(before)
  return transaction.add<InsertedRow>(insert)
}

/** A row that a fan-out inserted. */
export interface InsertedRow {
  id: string
  endpointId: string
  gen: number
  ready: number
  /** Null: its message is wanted. */
  holdReason: HoldReason | null
}

/** The messages for the rows that a fan-out inserted; what is held, or stands in a line that others dispatch, gets none. */
export function messagesFor(
  { dispatchAtOnce }: PublishTarget,
  event: PreparedEvent,
  rows: readonly InsertedRow[],
): QueuedEvent[] {
  const { type, workspaceId, id: eventId } = event
  return rows
    .filter(({ holdReason, ready }) => holdReason === null && (dispatchAtOnce === undefined || ready === 0))
    .map(({ id, gen, endpointId }) => ({ ...messageFor({ id, gen, type, workspaceId }), eventId, endpointId }))
}

/** The message that names a row under its generation. */
export function messageFor({
  id,
  gen,
  type,
  workspaceId,
}: Pick<PendingEvent, 'id' | 'gen' | 'type' | 'workspaceId'>): QueuedEvent & { outboxId: string; gen: number } {
  return { outboxId: id, gen, type, workspaceId }
}
