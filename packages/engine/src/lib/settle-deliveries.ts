import {
  type ClaimOptions,
  type ClaimRef,
  type Outcome,
  type OutboxDatabase,
  type Settled,
  type SqlText,
  clock,
  settleEvents,
  sqlText,
} from '@keepsend/outbox'
import { letOutUnlessDisabled } from './let-out.ts'
import type { DeliveryOutcome } from './verdict.ts'

/** An attempt that has ended, with the claim under which it was made. */
export interface FinishedDelivery {
  claim: ClaimRef
  outcome: DeliveryOutcome
}

/**
 * Writes what attempts came to, in one atomic unit: first what hangs on a settle, joined to the row while the claim
 * still stands, then the settles, then the next claim. A lost settle changes nothing around it either.
 */
export function settleDeliveries(
  db: OutboxDatabase,
  finished: readonly FinishedDelivery[],
  options: { keepCompleted: boolean; claim?: ClaimOptions | undefined },
): Promise<Settled> {
  const { keepCompleted, claim: next } = options
  // By endpoint, so that two groups which disable the same ones never wait for each other in a circle.
  const before = finished
    .flatMap(({ claim, outcome }) => (outcome.kind === 'disable_endpoint' ? [{ claim, outcome }] : []))
    .sort((one, other) => (one.outcome.endpointId < other.outcome.endpointId ? -1 : 1))
    .map(({ claim, outcome }) => disable(claim, outcome))
  const held = finished.flatMap(({ claim, outcome }) => (outcome.kind === 'hold' ? [claim.id] : []))
  const after = held.length > 0 ? [letOutUnlessDisabled(db, held)] : []
  return settleEvents(db, finished.map(toSettle), { keepCompleted, before, after, ...(next && { claim: next }) })
}

// Only the version that the attempt read: an endpoint that was changed meanwhile has a new URL to prove itself.
function disable(claim: ClaimRef, outcome: Extract<DeliveryOutcome, { kind: 'disable_endpoint' }>): SqlText {
  return sqlText`
    update keepsend_endpoints
    set status = 'disabled', disabled_reason = ${outcome.reason}, version = version + 1, updated_at = ${clock()}
    where id = ${outcome.endpointId} and version = ${outcome.endpointVersion} and status = 'enabled'
      and exists (select 1 from pending_events as delivery where delivery.id = ${claim.id} and delivery.gen = ${claim.gen} and delivery.status = 'pending')`
}

function toSettle({ claim, outcome }: FinishedDelivery): Outcome {
  switch (outcome.kind) {
    case 'delivered':
      return { claim, settle: 'complete', httpStatus: outcome.httpStatus }
    case 'retry': {
      const { delayMs, deferral, error, httpStatus } = outcome
      return { claim, settle: 'reschedule', delayMs, deferral, error, ...(httpStatus !== undefined && { httpStatus }) }
    }
    case 'dead': {
      const { error, httpStatus } = outcome
      return { claim, settle: 'fail', error, ...(httpStatus !== undefined && { httpStatus }) }
    }
    case 'disable_endpoint': {
      const { error, httpStatus } = outcome
      const took = httpStatus >= 200 && httpStatus <= 299
      return took ? { claim, settle: 'complete', httpStatus } : { claim, settle: 'fail', error, httpStatus }
    }
    case 'hold':
      return { claim, settle: 'hold', reason: outcome.reason }
  }
}
