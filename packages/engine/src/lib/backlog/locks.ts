import type { ClaimRef, OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'

/**
 * Locks the deliveries that a transaction will change. On Postgres a transaction that changes deliveries and endpoints first
 * locks deliveries, then endpoints ({@link lockEndpoints}), each in the order of their ids: two transactions never deadlock,
 * and rows that one statement has read are unchanged at the next. On SQLite and D1 a transaction has the database to itself,
 * so there is nothing to lock.
 */
export function lockDeliveries(db: OutboxDatabase, claims: readonly ClaimRef[]): SqlText[] {
  if (db.dialect.name !== 'postgres' || claims.length === 0) return []
  return [
    sqlText`
      select id from pending_events as delivery where id ${db.dialect.keys(claims.map(({ id }) => id))}
      order by id ${db.dialect.lock('wait', 'delivery')}`,
  ]
}

/** Locks endpoints: after deliveries, see {@link lockDeliveries}. */
export function lockEndpoints(db: OutboxDatabase, ids: readonly string[]): SqlText[] {
  if (db.dialect.name !== 'postgres' || ids.length === 0) return []
  return [
    sqlText`
      select id from keepsend_endpoints as endpoint where id ${db.dialect.keys([...new Set(ids)])}
      order by id ${db.dialect.lock('wait', 'endpoint')}`,
  ]
}

/**
 * An expression for the same value, which on Postgres waits until no other transaction creates endpoints of this workspace, so
 * that the statements that follow see all of them. The lock's key is a hash: two workspaces with the same hash only wait for
 * each other.
 */
export function lockedEndpointsOf(db: OutboxDatabase, workspaceId: string, value: string): SqlText {
  if (db.dialect.name !== 'postgres') return sqlText`${value}`
  const name = `keepsend_endpoints of ${workspaceId}`
  return sqlText`case when pg_advisory_xact_lock(hashtextextended(cast(${name} as text), 0)) is not null then ${value} end`
}

/** The ids of the rows that another session has locked now. Does not wait for any of them. */
export async function lockedOf(
  db: OutboxDatabase,
  table: 'pending_events' | 'keepsend_endpoints',
  ids: readonly string[],
): Promise<Set<string>> {
  const { rows } = await db.run<{ id: string }>(sqlText`
    with named as materialized (
      select id from ${raw(table)} where id ${db.dialect.keys(ids)}),
    free as materialized (
      select id from ${raw(table)} where id ${db.dialect.keys(ids)} ${db.dialect.lock('pick', table)})
    select id from named where id not in (select id from free)`)
  return new Set(rows.map(({ id }) => id))
}
