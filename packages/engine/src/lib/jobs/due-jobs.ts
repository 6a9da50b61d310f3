import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'

/** The tables of durable jobs. Each has `state`, `due_at`, an index `<table>_due` of running ones, and one `<table>_workspace`. */
export type JobTable = 'keepsend_replays' | 'keepsend_erasures'

/** A process that died leaves its jobs to others after this time. */
export const JOB_LEASE_MS = 5000

/** The time until a step of the next job is due, in ms; null: no job is running. A read, so that a database without jobs is not written. */
export async function nextDue(db: OutboxDatabase, table: JobTable): Promise<number | null> {
  const { rows } = await db.run<{ inMs: number }>(sqlText`
    select due_at - ${clock()} as "inMs" from ${raw(table)} ${db.dialect.by(`${table}_due`)}
    where state = 'running' order by due_at, id ${db.dialect.first(1)}`)
  return rows[0] ? Math.max(0, rows[0].inMs) : null
}

/**
 * Moves `due_at` of due jobs ahead, so that two processes do not step one job together. The condition stands twice: on Postgres
 * another process may move a job between the read and the lock.
 */
export async function claimJobs<R extends Row>(
  db: OutboxDatabase,
  table: JobTable,
  { columns, limit }: { columns: SqlText; limit: number },
): Promise<R[]> {
  const isDue = sqlText`state = 'running' and due_at <= ${clock()}`
  const due = sqlText`
      select id from ${raw(table)} as due ${db.dialect.by(`${table}_due`)}
      where ${isDue} order by due_at, id ${db.dialect.first(limit)} ${db.dialect.lock('pick', 'due')}`
  const { rows } = await db.run<R>(sqlText`
    update ${raw(table)} set due_at = ${clock()} + cast(${JOB_LEASE_MS} as bigint)
    where id ${db.dialect.among(due)} and ${isDue}
    returning ${columns}`)
  return rows
}
