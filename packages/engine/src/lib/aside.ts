import { type OutboxDatabase, type SqlText, clock, raw, sqlText } from '@keepsend/outbox'

/** Why rows of an endpoint are held. The first needs a person, the others have a time to wake. */
export type HoldReason = 'endpoint_disabled' | 'circuit_open' | 'busy' | 'rate'

// What one unit looks through: the head of the backlog, some milliseconds' work whatever stands behind it.
const HEAD = 1000

/**
 * Puts aside what is due for an endpoint that takes nothing now, among the first rows that are due: claimed one by one
 * they would stand before everybody else's for hundreds of claims. No attempt is charged, for none was claimed.
 */
export function setAside(db: OutboxDatabase, endpointId: string, reason: HoldReason): SqlText {
  return sqlText`
    with head as materialized (
      select id as head_id from pending_events
      where status = 'pending' and due_at is not null and due_at <= ${clock()}
      order by due_at, id ${db.dialect.first(HEAD)}),
    picked as materialized (
      select due.id as picked_id from pending_events as due
      where due.id ${db.dialect.among(raw('select head_id from head'))} and due.endpoint_id = ${endpointId} and due.claimed_at is null and due.status = 'pending'
      ${db.dialect.lock('pick', 'due')})
    update pending_events set status = 'held', hold_reason = ${reason}, gen = gen + 1, due_at = null
    where id ${db.dialect.among(raw('select picked_id from picked'))}
      and case when status = 'pending' and claimed_at is null and due_at <= ${clock()} then true else false end
      and exists (select 1 from keepsend_endpoints as endpoint where endpoint.id = ${endpointId} and ${raw(BLOCKED[reason])})`
}

const BLOCKED: Record<HoldReason, string> = {
  endpoint_disabled: `endpoint.status = 'disabled'`,
  // The probe is what the circuit waits for.
  circuit_open: `endpoint.circuit = 'open' and pending_events.id <> coalesce(endpoint.probe_id, '')`,
  busy: `endpoint.status = 'enabled'`,
  rate: `endpoint.status = 'enabled' and endpoint.rate_limit is not null`,
}
