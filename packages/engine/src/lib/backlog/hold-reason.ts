import { type LaneRef, type OutboxDatabase, holdLaneStatement } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { HoldReason } from '../outcome.ts'
import { isPaused } from './pause.ts'

/**
 * The reasons for which rows of an endpoint are held. For each:
 *
 * - `blocks`: the condition on `endpoint` under which more of its due rows may be held for this reason
 * - `resumeWithinMs`: after how many ms the endpoint's held rows resume if it has no earlier time; never before the end of a
 *   pause. A disabled endpoint never gets a time: a person must enable it.
 */
export const HOLD_REASONS = {
  endpoint_disabled: { blocks: `endpoint.status <> 'enabled'`, resumeWithinMs: 0 },
  endpoint_paused: { blocks: isPaused('endpoint').sql, resumeWithinMs: 0 },
  // The probe must not be held: its outcome decides whether the circuit closes.
  circuit_open: {
    blocks: `endpoint.circuit = 'open' and pending_events.id <> coalesce(endpoint.probe_id, '')`,
    resumeWithinMs: 0,
  },
  rate_limited: { blocks: `endpoint.status = 'enabled' and endpoint.rate_limit is not null`, resumeWithinMs: 250 },
  replay: { blocks: `endpoint.status = 'enabled'`, resumeWithinMs: 0 },
} as const satisfies Record<HoldReason, { blocks: string; resumeWithinMs: number }>

/** Holds the due rows of a blocked endpoint together; otherwise each of them would be claimed and held by itself. */
export function holdLane(db: OutboxDatabase, lane: LaneRef, reason: HoldReason): SqlText {
  const { endpointId } = lane
  const guard = sqlText`exists (select 1 from keepsend_endpoints as endpoint
        where endpoint.id = ${endpointId} and ${raw(HOLD_REASONS[reason].blocks)})`
  return holdLaneStatement(db, { ...lane, reason, guard })
}
