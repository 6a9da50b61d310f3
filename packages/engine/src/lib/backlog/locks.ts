import type { ClaimRef, OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'

/**
 * On Postgres a unit that changes endpoints beside deliveries locks first what it will touch: deliveries, then endpoints
 * in the order of their ids. So two units never wait for each other in a circle, and what one statement of the unit has
 * seen is still so at the next. Where a unit has the database to itself there is nothing to lock.
 */
export function lockDeliveries(db: OutboxDatabase, claims: readonly ClaimRef[]): SqlText[] {
  if (db.dialect.name !== 'postgres' || claims.length === 0) return []
  return [
    sqlText`
      select id from pending_events as delivery where id ${db.dialect.keys(claims.map(({ id }) => id))}
      order by id ${db.dialect.lock('wait', 'delivery')}`,
  ]
}

export function lockEndpoints(db: OutboxDatabase, ids: readonly string[]): SqlText[] {
  if (db.dialect.name !== 'postgres' || ids.length === 0) return []
  return [
    sqlText`
      select id from keepsend_endpoints as endpoint where id ${db.dialect.keys([...new Set(ids)])}
      order by id ${db.dialect.lock('wait', 'endpoint')}`,
  ]
}

/**
 * The same value, once no other transaction makes endpoints of the workspace: the statements that follow see those that
 * were made. A number for each name, so that two workspaces may wait for each other, and nothing else comes of it.
 */
export function lockedEndpointsOf(db: OutboxDatabase, workspaceId: string, value: string): SqlText {
  if (db.dialect.name !== 'postgres') return sqlText`${value}`
  const name = `keepsend_endpoints of ${workspaceId}`
  return sqlText`case when pg_advisory_xact_lock(hashtextextended(cast(${name} as text), 0)) is not null then ${value} end`
}

/** Which of these rows another session holds locked at this moment. Waits for none of them. */
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
