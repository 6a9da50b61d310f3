import { type OutboxDatabase, type SqlText, clock, sqlText } from '@keepsend/outbox'

function letOut(which: SqlText): SqlText {
  return sqlText`
    update pending_events set status = 'pending', hold_reason = null, gen = gen + 1, due_at = ${clock()}
    where status = 'held' and ${which}`
}

/**
 * After a settle that held rows: each stays held only while its reason stands. An endpoint that was enabled, has recovered
 * or was deleted since the attempt read it holds nothing. The share of its row keeps an enabling that comes now until these
 * rows are committed, and it finds them.
 */
export function letOutUnlessBlocked(db: OutboxDatabase, ids: readonly string[]): SqlText {
  return letOut(sqlText`id in (${db.dialect.list(ids)}) and not exists (
    select 1 from keepsend_endpoints as endpoint
    where endpoint.id = pending_events.endpoint_id and (
      endpoint.status = 'disabled'
      or endpoint.circuit = 'open'
      or pending_events.hold_reason not in ('endpoint_disabled', 'circuit_open'))
    ${db.dialect.lock('share', 'endpoint')})`)
}

/** With the endpoint's deletion, in its unit: the rows come up and fail as `endpoint_gone`. */
export function letOutAllOf(endpointId: string): SqlText {
  return letOut(sqlText`endpoint_id = ${endpointId}`)
}

/** After rows were held for an endpoint that may have been deleted: then nobody would let them out. */
export function letOutIfGone(endpointId: string): SqlText {
  return letOut(sqlText`endpoint_id = ${endpointId}
    and not exists (select 1 from keepsend_endpoints as endpoint where endpoint.id = ${endpointId})`)
}
