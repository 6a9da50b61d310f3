import {
  type OutboxDatabase,
  type PendingEvent,
  type SqlText,
  insertSelectStatement,
  raw,
  sqlText,
} from '@keepsend/outbox'
import type { EventQueue, QueuedEvent } from './event-queue.ts'
import { type PreparedEvent, patternsOf } from './event.ts'

/** Where an engine publishes: the database, and how its queue wants rows to start. */
export interface PublishTarget {
  db: OutboxDatabase
  rowsStart: NonNullable<EventQueue['rowsStart']>
  dispatchAtOnce?: EventQueue['dispatchAtOnce']
}

/**
 * The fan-out: one statement that inserts a row for each enabled endpoint of the workspace whose subscriptions fit.
 * Inside the caller's transaction the set of receivers is frozen with the change; without a subscriber there is no row.
 *
 * @param only makes it a fan-out to nobody unless this condition holds
 */
export function fanOutStatement(target: PublishTarget, event: PreparedEvent, only: SqlText = raw('1 = 1')): SqlText {
  const { dialect } = target.db
  const patterns = dialect.list(patternsOf(event.type))
  const channels = dialect.list([...new Set(['*', ...event.channels.flatMap(patternsOf)])])
  return forEndpoints(
    target,
    event,
    sqlText`
    workspace_id = ${event.workspaceId} and status = 'enabled' and id in (
      select endpoint_id from keepsend_subscriptions
      where workspace_id = ${event.workspaceId} and pattern in (${patterns}) and channel in (${channels})
    ) and ${only}`,
  )
}

/** One endpoint, subscribed or not, enabled or not: a test event. */
export function fanOutToOneStatement(target: PublishTarget, event: PreparedEvent, endpointId: string): SqlText {
  return forEndpoints(target, event, sqlText`workspace_id = ${event.workspaceId} and id = ${endpointId}`)
}

function forEndpoints({ db, rowsStart, dispatchAtOnce }: PublishTarget, event: PreparedEvent, where: SqlText): SqlText {
  const { id: eventId, workspaceId, type, payload } = event
  return insertSelectStatement(
    db.dialect,
    { eventId, workspaceId, type, payload, due: rowsStart, joinsLine: dispatchAtOnce !== undefined },
    { endpointId: raw('id'), maxAttempts: raw('max_attempts'), from: sqlText`keepsend_endpoints where ${where}` },
  )
}

/** A row that a fan-out inserted. */
export interface InsertedRow {
  id: string
  endpointId: string
  gen: number
  ready: number
}

/** The messages for the rows that a fan-out inserted; what stands in a line that others dispatch gets none. */
export function messagesFor(
  { dispatchAtOnce }: PublishTarget,
  event: PreparedEvent,
  rows: readonly InsertedRow[],
): QueuedEvent[] {
  const { type, workspaceId, id: eventId } = event
  const told = dispatchAtOnce === undefined ? rows : rows.filter(({ ready }) => ready === 0)
  return told.map(({ endpointId, ...row }) => ({ ...messageFor({ ...row, type, workspaceId }), eventId, endpointId }))
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
