import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { settledAt } from '../history/attempt-id.ts'
import type { DeliveryState } from './delivery.ts'
import { keyTime } from './merged-page.ts'

/** The attempt that delivered a delivery: all that is left of it when its row is deleted. */
export interface DeliveredAttempt {
  /** The id of the delivery. */
  id: string
  /** Digits. */
  attemptId: string
  gen: number
  workspaceId: string
  endpointId: string
  type: string
  number: number
  error: string | null
  httpStatus: number | null
}

/** The columns of a {@link DeliveredAttempt}, of a table `attempt`. */
export const DELIVERED =
  raw(`attempt.delivery_id as "id", cast(attempt.id as text) as "attemptId", attempt.gen as "gen",
      attempt.workspace_id as "workspaceId", attempt.endpoint_id as "endpointId", attempt.event_type as "type",
      attempt.number as "number", attempt.error as "error", attempt.http_status as "httpStatus"`)

/** Whether an `attempt` is the last of its delivery: a later one is a replay's. A scalar query is never planned as a join. */
export function isLast({ dialect }: Pick<OutboxDatabase, 'dialect'>): SqlText {
  return sqlText`(
        select max(later.gen) from keepsend_attempts as later ${dialect.by('keepsend_attempts_delivery')}
        where later.delivery_id = attempt.delivery_id) = attempt.gen`
}

/**
 * The delivery as its row showed it, as far as its attempt knows. It was settled when the attempt was; its event is as old as
 * the time in its id; it had no more attempts than were made.
 */
export function deliveredState(
  { name }: OutboxDatabase['dialect'],
  { attemptId, number, error, httpStatus, id, gen, workspaceId, endpointId, type }: DeliveredAttempt,
): DeliveryState {
  return {
    id,
    workspaceId,
    type,
    endpointId,
    status: 'completed',
    holdReason: null,
    heldAt: null,
    attempts: number,
    maxAttempts: number,
    deferrals: 0,
    crashes: 0,
    gen,
    dueAt: null,
    ready: 0,
    claimedAt: null,
    createdAt: keyTime(id),
    deliverAt: null,
    expiresAt: null,
    replayedAt: null,
    completedAt: settledAt(name, attemptId),
    lastError: error,
    lastStatus: httpStatus,
    contentType: null,
    filter: null,
    version: null,
    convertTo: null,
  }
}
