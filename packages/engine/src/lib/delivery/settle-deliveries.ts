import type { EndpointChange, FinishedDelivery, HoldReason } from '../outcome.ts'
import {
  type ClaimOptions,
  type LaneRef,
  type OutboxDatabase,
  type Outcome,
  type SettleResult,
  Transaction,
  addClaim,
  addSettle,
  resumeStatement,
  settleEvents,
} from '@keepsend/outbox'
import { type OptionNames, type SqlText, endpointIdOf, sqlText } from '@keepsend/outbox/internal'
import { receiverRequests } from './receiver-requests.ts'
import type { CircuitOptions } from '../health/circuit-breaker.ts'
import { healthStatements, meaningForEndpoint } from '../health/endpoint-health.ts'
import { HOLD_REASONS, holdLane } from '../backlog/hold-reason.ts'
import { lockDeliveries, lockEndpoints } from '../backlog/locks.ts'
import type { Notifier } from '../health/operational-webhooks.ts'
import { isPaused } from '../backlog/pause.ts'
import { resumeUnlessBlocked } from '../backlog/resume.ts'
import type { EndpointCache } from '../endpoints/endpoint-cache.ts'
import { resumeWithin } from '../backlog/resume-due.ts'

/** What a worker wants in the same commit as its outcomes. */
export interface SettleNext {
  /** The next claim. */
  claim?: ClaimOptions | undefined
}

export const SETTLE_NEXT_OPTIONS = { claim: 'any' } satisfies OptionNames<SettleNext>

export interface SettleDeps {
  db: OutboxDatabase
  keepCompleted: boolean
  circuit: CircuitOptions
  reporter: Notifier | undefined
  random: () => number
}

/**
 * Writes what attempts came to, in one transaction, whose steps are declared below in the order in which they commit. What hangs on a settle is joined to
 * the row while the claim still stands, so a lost settle changes nothing around it either.
 */
export async function settleDeliveries(
  { db, keepCompleted, circuit, reporter, random }: SettleDeps,
  finished: readonly FinishedDelivery[],
  { claim }: SettleNext,
): Promise<SettleResult & { changes: EndpointChange[] }> {
  const outcomes = finished.map(toSettle)
  // While all goes well, thousands of times a second, nothing hangs on a settle.
  const isEventful = finished.some(({ outcome }) => outcome.kind !== 'complete' || outcome.attempt?.failing)
  const noted = isEventful ? finished : []
  const health = healthStatements(db, { circuit, reporter, random }, noted)
  const asked = receiverRequests(db, reporter, noted)
  const failures = noted.flatMap((one) => reportOf(reporter, one))
  const holds = heldOf(noted)
  const room = claim ? roomOf(finished) : []
  const around = [health.statements, asked, failures, holds.ids, room]
  if (around.every(({ length }) => length === 0)) {
    return { ...(await settleEvents(db, outcomes, { keepCompleted, claim })), changes: [] }
  }

  const transaction = new Transaction()
  // The statements commit in the order in which these parts are declared, whatever fills them first.
  // 1. Deliveries first and then endpoints, so that two settles never wait for each other in a circle.
  const locks = transaction.part()
  // 2. While the claims stand, what hangs on them: only their holder may change an endpoint's health, pause or disable it
  //    for its receiver, or report a delivery's end.
  const whileClaimed = transaction.part()
  // 3. From here on the claims are gone.
  const settles = transaction.part()
  // 4. What stands in line behind what was just held, before the claim would meet it; and a time to resume it.
  const backlog = transaction.part()
  // 5. What was held for a reason that has passed meanwhile: it looks at the rows that 3 held.
  const freed = transaction.part()
  // 6. Held rows in the place of those that were settled, so that the claim takes them.
  const roomy = transaction.part()
  // 7. Last: the claim takes what 3 to 6 made due.
  const claims = transaction.part()

  const endpointIds = [...health.endpointIds, ...endpointsOf(noted), ...room.map(([id]) => id)]
  locks.addAll(
    lockDeliveries(
      db,
      finished.map((one) => one.claim),
    ),
  )
  locks.addAll(lockEndpoints(db, endpointIds))
  const noticed = [...health.statements, ...asked].map(({ statement, makes }) => {
    return { makes, result: whileClaimed.add(statement) }
  })
  whileClaimed.addAll(failures)
  const lost = addSettle(settles, db, outcomes, { keepCompleted })
  for (const group of holds.groups) backlog.addAll(afterHolding(db, group, claim !== undefined))
  if (holds.ids.length > 0) freed.add(resumeUnlessBlocked(db, holds.ids))
  for (const [endpointId, limit] of room) {
    roomy.add(resumeStatement(db, { endpointId, limit, guard: takesRows(endpointId) }))
  }
  const claimed = claim && addClaim(claims, db, claim)
  await transaction.commit(db)
  const changes = noticed.flatMap(({ makes, result }) => (makes && result.changes > 0 ? [makes] : []))
  return { lost: lost(), claimed: claimed?.() ?? { claims: [], exhausted: [] }, changes }
}

function takesRows(endpointId: string): SqlText {
  return sqlText`exists (select 1 from keepsend_endpoints as endpoint
    where endpoint.id = ${endpointId} and endpoint.status = 'enabled' and endpoint.circuit <> 'open'
      and endpoint.rate_limit is null and not ${isPaused('endpoint')})`
}

// Beyond what drains, so that a lane that ran dry fills again.
const MORE = 2

/**
 * Rows to resume for endpoints that have some held: as many as were settled, and two. However many are held, what is in
 * line grows by no more, and stands before few newer events.
 */
function roomOf(finished: readonly FinishedDelivery[]): [string, number][] {
  const settled = new Map<string, number>()
  for (const { outcome } of finished) {
    if (!outcome.attempt?.makesRoom) continue
    const { endpointId } = outcome.attempt
    settled.set(endpointId, (settled.get(endpointId) ?? MORE) + 1)
  }
  return [...settled]
}

/** Endpoints that a settle of these changes, besides those whose health it changes. */
function endpointsOf(finished: readonly FinishedDelivery[]): string[] {
  return finished.flatMap(({ claim, outcome }) => {
    if (outcome.kind === 'disable_endpoint') return [outcome.endpointId]
    return outcome.kind === 'hold' ? [endpointIdOf(claim.id)] : []
  })
}

interface HeldGroup {
  endpointId: string
  /** Known where the settle knows the row. */
  lane: LaneRef | undefined
  reason: HoldReason
  /** The earliest of what its outcomes ask for. */
  resumeInMs: number | undefined
}

function heldOf(finished: readonly FinishedDelivery[]): { ids: string[]; groups: HeldGroup[] } {
  const ids: string[] = []
  const groups = new Map<string, HeldGroup>()
  for (const { claim, outcome } of finished) {
    if (outcome.kind !== 'hold') continue
    ids.push(claim.id)
    const endpointId = endpointIdOf(claim.id)
    const lane = 'workspaceId' in claim ? { workspaceId: claim.workspaceId, endpointId } : undefined
    const { reason, resumeInMs } = outcome
    const key = `${endpointId} ${reason}`
    const group = groups.get(key)
    if (group) group.resumeInMs = Math.min(group.resumeInMs ?? Infinity, resumeInMs ?? Infinity)
    else groups.set(key, { endpointId, lane, reason, resumeInMs })
  }
  return { ids, groups: [...groups.values()] }
}

/** What is held must have a time at which it is resumed. */
function afterHolding(db: OutboxDatabase, group: HeldGroup, claims: boolean): SqlText[] {
  const { endpointId, lane, reason, resumeInMs = Infinity } = group
  const backlog = claims && lane ? [holdLane(db, lane, reason)] : []
  const inMs = Number.isFinite(resumeInMs) ? Math.ceil(resumeInMs) : HOLD_REASONS[reason].resumeWithinMs
  return [...backlog, resumeWithin(db, endpointId, inMs)]
}

function reportOf(reporter: Notifier | undefined, { claim, outcome }: FinishedDelivery): SqlText[] {
  if (!reporter || toSettle({ claim, outcome }).settle !== 'fail') return []
  return 'error' in outcome ? reporter.delivery(claim, outcome) : []
}

function toSettle({ claim, outcome }: FinishedDelivery): Outcome {
  switch (outcome.kind) {
    case 'complete':
      return { claim, settle: 'complete', httpStatus: outcome.httpStatus }
    case 'reschedule': {
      const { delayMs, deferral, error, httpStatus } = outcome
      return { claim, settle: 'reschedule', delayMs, deferral, error, httpStatus }
    }
    case 'fail':
      return { claim, settle: 'fail', error: outcome.error, httpStatus: outcome.httpStatus }
    case 'disable_endpoint': {
      const { error, httpStatus } = outcome
      const took = httpStatus >= 200 && httpStatus <= 299
      return took ? { claim, settle: 'complete', httpStatus } : { claim, settle: 'fail', error, httpStatus }
    }
    case 'hold': {
      const { reason, asked } = outcome
      return { claim, settle: 'hold', reason, error: asked?.error, httpStatus: asked?.httpStatus }
    }
    case 'release':
      return { claim, settle: 'release' }
  }
}

/** After a settle: what was read of the endpoints may stand no more. */
export function noteOutcomes(
  targets: EndpointCache,
  finished: readonly FinishedDelivery[],
  failuresInRow: number,
): void {
  for (const { claim, outcome } of finished) {
    // A row that was held, and is due again because its endpoint was enabled meanwhile, must not be held by an old look.
    if (outcome.kind === 'hold' || outcome.kind === 'disable_endpoint') targets.forget(endpointIdOf(claim.id))
    else if (outcome.attempt && meaningForEndpoint(outcome) === 'failure') {
      const { endpointId, at, timedOut } = outcome.attempt
      // Few time-outs open a circuit, and each has taken its time: a look at the database is nothing beside it.
      targets.failed(endpointId, at, timedOut ? 1 : failuresInRow)
    }
  }
}
