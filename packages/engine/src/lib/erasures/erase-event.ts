import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, eraseStatement, rowsToErase, sqlText } from '@keepsend/outbox/internal'
import { deleteEventsStatements } from '../history/delete-events.ts'
import { countDeleted } from './delete-rows.ts'
import type { Job } from './erasure-job.ts'
import { ofActions, ofProblems } from './covered.ts'

/** Deletes everything of one event but the stored answers of requests, in the transaction that makes the job or in a step of it. */
export function eventStatements(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  job: Pick<Job, 'id' | 'workspaceId' | 'what' | 'target' | 'fromId' | 'toId' | 'createdAt'>,
): SqlText[] {
  const { workspaceId, target } = job
  const rows = { workspaceId, eventId: target }
  const ofRows = sqlText`from pending_events where ${rowsToErase({ dialect }, rows)}`
  const ofAttempts = sqlText`
    from keepsend_attempts where delivery_id > ${`${target}.`} and delivery_id < ${`${target}/`} and workspace_id = ${workspaceId}`
  const ofEvent = sqlText`from keepsend_events where id = ${target} and workspace_id = ${workspaceId}`
  const locked = sqlText`select id ${ofRows} order by id ${dialect.lock('wait', 'pending_events')}`
  return [
    ...(dialect.name === 'postgres' ? [locked] : []),
    countDeleted(job, {
      deliveries: ofRows,
      dropped: sqlText`${ofRows} and completed_at is null`,
      attempts: ofAttempts,
      events: ofEvent,
    }),
    sqlText`delete ${ofAttempts}`,
    // Each workspace has its own payload of an id.
    sqlText`
    delete from keepsend_payloads where id ${dialect.among(sqlText`
      select payload_id ${ofRows} and payload_id is not null union select payload_id ${ofEvent}
      union ${dialect.valuesOf(sqlText`(select copies ${ofEvent})`)}`)}`,
    eraseStatement({ dialect }, rows),
    ...deleteEventsStatements(
      { dialect },
      sqlText`select event.id, event.workspace_id from keepsend_events as event
      where event.id = ${target} and event.workspace_id = ${workspaceId}`,
    ),
    sqlText`delete from keepsend_problems where ${ofProblems(job)}`,
    sqlText`delete from keepsend_audit where ${ofActions(job)}`,
  ]
}
