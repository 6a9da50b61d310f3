import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, eraseStatement, raw, rowsToErase, sqlText } from '@keepsend/outbox/internal'
import { lockDeliveries } from '../backlog/locks.ts'
import { deleteEventsStatements } from '../history/delete-events.ts'
import type { Job } from './erasure-job.ts'

type Database = Pick<OutboxDatabase, 'dialect'>

/** Rows of a page, with the payloads that they refer to: of an event also those of its copies in other versions. */
export interface Referring {
  id: string
  payloadIds: readonly number[]
}

/**
 * Deletes deliveries in every state with their attempts, and payloads that nothing else refers to. A worker that has one in flight
 * loses its settle. On Postgres the rows are locked first, so that what is counted is what is deleted.
 */
export function deleteDeliveries(
  db: OutboxDatabase,
  job: Pick<Job, 'id' | 'workspaceId' | 'createdAt'>,
  rows: readonly Referring[],
): SqlText[] {
  const { workspaceId } = job
  const ids = rows.map(({ id }) => id)
  const mine = rowsToErase(db, { workspaceId, ids })
  const attempts = sqlText`delivery_id ${db.dialect.keys(ids)} and workspace_id = ${workspaceId}`
  return [
    ...lockDeliveries(
      db,
      ids.map((id) => ({ id, gen: 0 })),
    ),
    countDeleted(job, {
      deliveries: sqlText`from pending_events where ${mine}`,
      // Whatever has become of them since the job was made.
      dropped: sqlText`from pending_events where ${mine} and coalesce(completed_at, ${job.createdAt}) >= ${job.createdAt}`,
      attempts: sqlText`from keepsend_attempts where ${attempts}`,
    }),
    sqlText`delete from keepsend_attempts where ${attempts}`,
    eraseStatement(db, { workspaceId, ids }),
    ...deleteUnusedPayloads(db, rows),
  ]
}

/** Deletes recorded events with the values that find them, and their payloads. */
export function deleteRecords(
  db: Database,
  job: Pick<Job, 'id' | 'workspaceId'>,
  rows: readonly Referring[],
): SqlText[] {
  const mine = sqlText`
    select event.id, event.workspace_id from keepsend_events as event
    where event.id ${db.dialect.keys(rows.map(({ id }) => id))} and event.workspace_id = ${job.workspaceId}`
  return [
    countDeleted(job, { events: sqlText`from (${mine}) as counted` }),
    ...deleteEventsStatements(db, mine),
    ...deleteUnusedPayloads(db, rows),
  ]
}

/** Adds numbers of rows to what a job has deleted; each is counted by the text after `select count(*)`. */
export function countDeleted(
  { id }: Pick<Job, 'id'>,
  counted: Partial<Record<'deliveries' | 'dropped' | 'attempts' | 'events' | 'answers', SqlText>>,
): SqlText {
  const sets = Object.entries(counted).map(
    ([column, from]) => sqlText`${raw(column)} = ${raw(column)} + (select count(*) ${from})`,
  )
  const [first = raw(''), ...others] = sets
  const set = others.reduce((all, one) => sqlText`${all}, ${one}`, first)
  return sqlText`update keepsend_erasures set ${set} where id = ${id}`
}

/** Scalar queries: for `not exists` a planner would make a join. */
function deleteUnusedPayloads({ dialect }: Database, rows: readonly Referring[]): SqlText[] {
  const ids = [...new Set(rows.flatMap(({ payloadIds }) => payloadIds))]
  if (ids.length === 0) return []
  const unused = sqlText`
    select stored.id from ${dialect.rows('listed', ids, { id: ['integer', (id) => id] })}
      join keepsend_payloads as stored on stored.id = listed.id
    where (
        select delivery.id from pending_events as delivery
        where delivery.id >= stored.event_id and delivery.id < stored.event_id || '/' and delivery.payload_id = stored.id
        ${dialect.first(1)}) is null
      and (
        select event.id from keepsend_events as event
        where event.id = stored.event_id
          and (event.payload_id = stored.id or event.copies is not null and stored.version is not null) ${dialect.first(1)}) is null`
  return [sqlText`delete from keepsend_payloads where id ${dialect.among(unused)}`]
}
