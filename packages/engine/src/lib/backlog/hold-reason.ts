import { type LaneRef, type OutboxDatabase, holdLaneStatement } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { HoldReason } from '../outcome.ts'
import { isPaused } from './pause.ts'

/**
 * Why rows of an endpoint are held, and for each reason:
 *
 * - `blocks`: the condition on `endpoint` under which more of its due rows may be held for it
 * - `resumeWithinMs`: when the endpoint's held rows are resumed, if it has no earlier time; never before the end of a
 *   pause. The first reason needs a person: a disabled endpoint is never given a time.
 */
export const HOLD_REASONS = {
  endpoint_disabled: { blocks: `endpoint.status <> 'enabled'`, resumeWithinMs: 0 },
  endpoint_paused: { blocks: isPaused('endpoint').sql, resumeWithinMs: 0 },
  // The probe is what the circuit waits for.
  circuit_open: {
    blocks: `endpoint.circuit = 'open' and pending_events.id <> coalesce(endpoint.probe_id, '')`,
    resumeWithinMs: 0,
  },
  rate_limited: { blocks: `endpoint.status = 'enabled' and endpoint.rate_limit is not null`, resumeWithinMs: 250 },
  replay: { blocks: `endpoint.status = 'enabled'`, resumeWithinMs: 0 },
} as const satisfies Record<HoldReason, { blocks: string; resumeWithinMs: number }>

/** Holds what stands in the lane of an endpoint that takes nothing now: claimed, each row would be held by itself. */
export function holdLane(db: OutboxDatabase, lane: LaneRef, reason: HoldReason): SqlText {
  const { endpointId } = lane
  const guard = sqlText`exists (select 1 from keepsend_endpoints as endpoint
        where endpoint.id = ${endpointId} and ${raw(HOLD_REASONS[reason].blocks)})`
  return holdLaneStatement(db, { ...lane, reason, guard })
}
