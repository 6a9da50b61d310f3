import {
  type ClaimOptions,
  type ClaimRef,
  type Outcome,
  type OutboxDatabase,
  type PendingEvent,
  type Settled,
  type SqlText,
  clock,
  raw,
  settleEvents,
  sqlText,
} from '@keepsend/outbox'
import { type HoldReason, setAside } from './aside.ts'
import { type CircuitOptions, anyStands } from './circuit.ts'
import { healthStatements } from './health.ts'
import { letOutUnlessBlocked } from './let-out.ts'
import { lockDeliveries, lockEndpoints } from './locks.ts'
import type { Reporter } from './operational.ts'
import type { Targets } from './targets.ts'
import type { DeliveryOutcome } from './verdict.ts'
import { letOutOldest, wakeWithin } from './wake.ts'

/** An attempt that has ended, with the claim under which it was made. */
export interface FinishedDelivery {
  claim: ClaimRef | PendingEvent
  outcome: DeliveryOutcome
}

/** What a worker wants in the same commit as its outcomes. */
export interface SettleNext {
  /** The next claim. */
  claim?: ClaimOptions | undefined
  /** How many more rows of an endpoint the worker could take now; `makesRoom` as of the attempt. @default none */
  roomFor?: ((endpointId: string, makesRoom: boolean) => number) | undefined
}

export interface SettleDeps {
  db: OutboxDatabase
  keepCompleted: boolean
  circuit: CircuitOptions
  reporter: Reporter | undefined
}

/**
 * Writes what attempts came to, in one atomic unit: first what hangs on a settle, joined to the row while the claim
 * still stands, then the settles, then what is put aside or let out for them, then the next claim. A lost settle changes
 * nothing around it either.
 */
export function settleDeliveries(
  deps: SettleDeps,
  finished: readonly FinishedDelivery[],
  { claim: next, roomFor }: SettleNext,
): Promise<Settled> {
  const { db, keepCompleted, circuit, reporter } = deps
  // While all goes well, thousands of times a second, nothing hangs on a settle.
  const eventful = finished.some(({ outcome }) => outcome.kind !== 'delivered' || outcome.attempt?.failing)
  const noted = eventful ? finished : []
  const health = healthStatements(db, circuit, reporter, noted)
  const verdicts = noted.flatMap((one) => verdictOn(db, reporter, one))
  const failures = noted.flatMap((one) => reportOf(reporter, one))
  const holds = heldOf(noted)
  const room = next ? roomOf(finished, roomFor) : []

  const hanging = [...health.statements, ...verdicts, ...failures]
  const around = hanging.length + holds.ids.length + room.length > 0
  const endpoints = [
    ...health.endpointIds,
    ...noted.flatMap(({ outcome }) => (outcome.kind === 'disable_endpoint' ? [outcome.endpointId] : [])),
    ...holds.groups.map(({ endpointId }) => endpointId),
    ...room.map(([endpointId]) => endpointId),
  ]
  const locks = around
    ? [
        ...lockDeliveries(
          db,
          finished.map(({ claim }) => claim),
        ),
        ...lockEndpoints(db, endpoints),
      ]
    : []

  const before = [...locks, ...hanging]
  const after = [
    ...holds.groups.flatMap((group) => afterHolding(db, group, next !== undefined)),
    ...(holds.ids.length > 0 ? [letOutUnlessBlocked(db, holds.ids)] : []),
    ...room.map(([endpointId, count]) =>
      letOutOldest(db, endpointId, count, { only: mayTake(endpointId), ...AT_ONCE }),
    ),
  ]
  return settleEvents(db, finished.map(toSettle), { keepCompleted, before, after, ...(next && { claim: next }) })
}

const AT_ONCE = { apartMs: 0, afterMs: 0 }

function mayTake(endpointId: string): SqlText {
  return sqlText`exists (select 1 from keepsend_endpoints as endpoint
    where endpoint.id = ${endpointId} and endpoint.status = 'enabled' and endpoint.circuit = 'closed'
      and endpoint.rate_limit is null)`
}

/** Rows to let out for endpoints of which something has been settled: as many as the worker has room for. */
function roomOf(finished: readonly FinishedDelivery[], roomFor: SettleNext['roomFor']): [string, number][] {
  if (!roomFor) return []
  const endpoints = new Map<string, boolean>()
  for (const { outcome } of finished) {
    if (outcome.attempt) endpoints.set(outcome.attempt.endpointId, outcome.attempt.makesRoom)
  }
  return [...endpoints]
    .map(([id, makesRoom]): [string, number] => [id, roomFor(id, makesRoom)])
    .filter(([, count]) => count > 0)
}

interface HeldGroup {
  endpointId: string
  reason: HoldReason
  count: number
}

function heldOf(finished: readonly FinishedDelivery[]): { ids: string[]; groups: HeldGroup[] } {
  const ids: string[] = []
  const groups = new Map<string, HeldGroup>()
  for (const { claim, outcome } of finished) {
    if (outcome.kind !== 'hold') continue
    ids.push(claim.id)
    const endpointId = endpointIdOf(claim.id)
    const key = `${endpointId} ${outcome.reason}`
    const group = groups.get(key)
    if (group) group.count++
    else groups.set(key, { endpointId, reason: outcome.reason, count: 1 })
  }
  return { ids, groups: [...groups.values()] }
}

// So many in one group say that a backlog stands behind them.
const BACKLOG = 4

/** What is held must have a time to wake; and what stands behind it is put aside before the claim that would meet it. */
function afterHolding(db: OutboxDatabase, { endpointId, reason, count }: HeldGroup, claims: boolean): SqlText[] {
  const aside = claims && count >= BACKLOG ? [setAside(db, endpointId, reason)] : []
  return [...aside, wakeWithin(endpointId, WAKE_WITHIN_MS[reason])]
}

const WAKE_WITHIN_MS: Record<HoldReason, number> = { endpoint_disabled: 0, circuit_open: 0, busy: 1000, rate: 250 }

/** Only the version that the attempt read: an endpoint that was changed meanwhile has a new URL to prove itself. */
function verdictOn(
  db: OutboxDatabase,
  reporter: Reporter | undefined,
  { claim, outcome }: FinishedDelivery,
): SqlText[] {
  if (outcome.kind !== 'disable_endpoint') return []
  const { endpointId, endpointVersion: version, reason } = outcome
  const tally = { endpointId, version, failed: [claim], succeeded: [], trailing: 1 }
  const comesTrue = sqlText`id = ${endpointId} and version = ${version} and status = 'enabled'`
  return [
    ...(reporter?.endpoint('keepsend.endpoint.disabled', tally, [claim], comesTrue, { reason }) ?? []),
    sqlText`
      update keepsend_endpoints
      set status = 'disabled', disabled_reason = ${reason}, version = version + 1, wake_at = ${raw('null')}, updated_at = ${clock()}
      where ${comesTrue} and ${anyStands(db, [claim])}`,
  ]
}

function reportOf(reporter: Reporter | undefined, { claim, outcome }: FinishedDelivery): SqlText[] {
  if (!reporter || toSettle({ claim, outcome }).settle !== 'fail') return []
  return 'error' in outcome ? reporter.delivery(claim, outcome) : []
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

/** After a settle: what was read of the endpoints may stand no more. */
export function noteOutcomes(targets: Targets, finished: readonly FinishedDelivery[], failuresInRow: number): void {
  for (const { claim, outcome } of finished) {
    // A row that was held, and is due again because its endpoint was enabled meanwhile, must not be held by an old look.
    if (outcome.kind === 'hold' || outcome.kind === 'disable_endpoint') targets.forget(endpointIdOf(claim.id))
    else if (outcome.kind !== 'delivered' && outcome.attempt) {
      targets.failed(outcome.attempt.endpointId, outcome.attempt.at, failuresInRow)
    }
  }
}

/** A delivery's key ends with its endpoint's id. */
function endpointIdOf(deliveryId: string): string {
  return deliveryId.slice(deliveryId.indexOf('.') + 1)
}
