import { type OutboxDatabase, type SqlText, clock, limitTo, sqlText } from '@keepsend/outbox'

/**
 * Rows are held for a disabled endpoint only. These statements let out what is held for any other reason that a race
 * or a crash could leave, so that no row waits for someone who will not come.
 */
function letOut(which: SqlText): SqlText {
  return sqlText`
    update pending_events set status = 'pending', hold_reason = null, gen = gen + 1, due_at = ${clock()}
    where status = 'held' and ${which}`
}

/**
 * After a settle that held rows: an endpoint enabled or deleted since the attempt read it holds nothing. The share of
 * its row keeps an enabling that comes now until these rows are committed, and it finds them.
 */
export function letOutUnlessDisabled(db: OutboxDatabase, ids: readonly string[]): SqlText {
  return letOut(sqlText`id in (${db.dialect.list(ids)}) and not exists (
    select 1 from keepsend_endpoints as endpoint
    where endpoint.id = pending_events.endpoint_id and endpoint.status = 'disabled'
    ${db.dialect.lock('share', 'endpoint')})`)
}

/** With the endpoint's deletion, in its unit: the rows come up and fail as `endpoint_gone`. */
export function letOutAllOf(endpointId: string): SqlText {
  return letOut(sqlText`endpoint_id = ${endpointId}`)
}

/** What an enabling that was cut short left behind, oldest first, at most `limit` rows. */
export function letOutStrays(db: OutboxDatabase, limit: number): SqlText {
  return letOut(sqlText`id in (
    with strays as materialized (
      select held.id as stray_id from keepsend_endpoints as endpoint
      join pending_events as held on held.endpoint_id = endpoint.id and held.status = 'held'
      where endpoint.status = 'enabled' ${limitTo(limit)} ${db.dialect.lock('pick', 'held')})
    select stray_id from strays)`)
}
