import {
  type OutboxDatabase,
  type Row,
  type SqlText,
  clock,
  dueAt,
  enqueueEvents,
  raw,
  sqlText,
} from '@keepsend/outbox'
import type { EventQueue, QueuedEvent } from './event-queue.ts'
import { type PreparedEvent, patternsOf } from './event.ts'

/** Where an engine publishes: the database, and how its queue wants rows to start. */
export interface PublishTarget {
  db: OutboxDatabase
  rowsStart: NonNullable<EventQueue['rowsStart']>
}

/**
 * The fan-out: one statement that inserts a row for each enabled endpoint of the workspace whose subscriptions fit.
 * Inside the caller's transaction the set of receivers is frozen with the change; without a subscriber there is no row.
 *
 * @param only makes it a fan-out to nobody unless this condition holds
 */
export function fanOutStatement(
  { db, rowsStart }: PublishTarget,
  event: PreparedEvent,
  only: SqlText = raw('1 = 1'),
): SqlText {
  const patterns = db.dialect.list(patternsOf(event.type))
  const channels = db.dialect.list([...new Set(['*', ...event.channels.flatMap(patternsOf)])])
  return sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, max_attempts, due_at, created_at, payload)
    select cast(${`${event.id}.`} as text) || id, workspace_id, cast(${event.type} as text), id, max_attempts,
      ${dueAt({ eventId: event.id, due: rowsStart })}, ${clock()}, cast(${event.payload} as text)
    from keepsend_endpoints
    where workspace_id = ${event.workspaceId} and status = 'enabled' and id in (
      select endpoint_id from keepsend_subscriptions
      where workspace_id = ${event.workspaceId} and pattern in (${patterns}) and channel in (${channels})
    ) and ${only}
    on conflict (id) do nothing
    returning id, endpoint_id as "endpointId"`
}

/** The messages for the rows that a fan-out inserted. */
export function messagesFor(event: PreparedEvent, rows: readonly Row[]): QueuedEvent[] {
  return rows.map((row) => ({
    type: event.type,
    workspaceId: event.workspaceId,
    outboxId: String(row['id']),
    gen: 0,
    eventId: event.id,
    endpointId: String(row['endpointId']),
  }))
}

/** Keeps one event for one endpoint, subscribed or not: a test event, or a look at one receiver. */
export async function enqueueForEndpoint(
  { db, rowsStart }: PublishTarget,
  event: PreparedEvent,
  endpointId: string,
  maxAttempts: number,
): Promise<QueuedEvent[]> {
  const { id: eventId, workspaceId, type, payload } = event
  await enqueueEvents(db, [{ eventId, endpointId, workspaceId, type, payload, maxAttempts, due: rowsStart }])
  return messagesFor(event, [{ id: `${eventId}.${endpointId}`, endpointId }])
}
