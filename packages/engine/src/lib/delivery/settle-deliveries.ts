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
import { healthSignalOf, healthStatements } from '../health/endpoint-health.ts'
import { HOLD_REASONS, holdLane } from '../backlog/hold-reason.ts'
import { lockDeliveries, lockEndpoints } from '../backlog/locks.ts'
import type { FailedDelivery, Notifier } from '../health/operational-webhooks.ts'
import { isPaused } from '../backlog/pause.ts'
import { resumeUnlessBlocked } from '../backlog/resume.ts'
import type { EndpointCache } from '../endpoints/endpoint-cache.ts'
import { resumeWithin } from '../backlog/resume-due.ts'
import { attemptRecords } from '../history/record-attempts.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { countProblems } from '../problems/record-problems.ts'

/** The further steps of a settle, in the same commit as the outcomes. */
export interface SettleNext {
  /** The next claim. */
  claim?: ClaimOptions | undefined
}

export const SETTLE_NEXT_OPTIONS = { claim: 'any' } satisfies OptionNames<SettleNext>

export interface SettleDeps {
  db: OutboxDatabase
  circuit: CircuitOptions
  notifier: Notifier | undefined
  history: HistoryOptions | undefined
  random: () => number
}

/**
 * Records the outcomes of attempts in one transaction, with the changes of endpoints, operational webhooks and resumed rows
 * that follow from them. Everything that depends on a settle is written under the condition that its claim is still current,
 * so a lost settle changes nothing else either.
 *
 * The steps commit in this order:
 *
 * 1. Lock deliveries, then endpoints, so that two settles never deadlock.
 * 2. Change health, pause or disable endpoints, insert operational webhooks, record the attempts, count the problems: while the
 *    claims are still current, because only the owner of a claim may do so.
 * 3. Settle the outcomes. After this the claims are gone.
 * 4. Hold the due rows behind a row that was held, before the claim would take them, and set a time to resume them.
 * 5. Resume the held rows whose reason has ended meanwhile: after 3, because it checks the rows that 3 held.
 * 6. Resume held rows in place of those that were settled, before the claim, so that it can take them.
 * 7. Take the next claim, last: it finds the rows that 3 to 6 made due.
 */
export async function settleDeliveries(
  { db, circuit, notifier, history, random }: SettleDeps,
  finished: readonly FinishedDelivery[],
  { claim }: SettleNext,
): Promise<SettleResult & { changes: EndpointChange[] }> {
  const outcomes = finished.map(toSettle)
  const records = attemptRecords(db, history, finished)
  // The usual case, thousands of times a second: all attempts succeeded at healthy endpoints, and nothing else follows.
  const isEventful = finished.some(({ outcome }) => outcome.kind !== 'complete' || outcome.attempt?.failing)
  const eventful = isEventful ? finished : []
  const health = healthStatements(db, { circuit, notifier, random }, eventful)
  const requests = receiverRequests(db, notifier, eventful)
  const notifications = notifier?.deliveries(eventful.flatMap(failureOf)) ?? []
  const holds = holdsOf(eventful)
  const refills = claim ? refillsOf(finished) : []
  const problems = countProblems(db, history, eventful)
  const others = [health.statements, requests, notifications, holds.ids, refills, problems.statements]
  if (others.every(({ length }) => length === 0)) {
    return { ...(await settleEvents(db, outcomes, { claim, records })), changes: [] }
  }

  // The parts commit in the order in which they are declared, whichever is filled first. For the reasons see above.
  const transaction = new Transaction()
  const locks = transaction.part() // 1
  const whileClaimed = transaction.part() // 2
  const settles = transaction.part() // 3
  const backlog = transaction.part() // 4
  const unblocked = transaction.part() // 5
  const refilled = transaction.part() // 6
  const claims = transaction.part() // 7

  // 1. Locks: deliveries, then endpoints.
  const endpointIds = [
    ...health.endpointIds,
    ...endpointsOf(eventful),
    ...refills.map(([id]) => id),
    ...problems.endpointIds,
  ]
  locks.addAll(
    lockDeliveries(
      db,
      finished.map((one) => one.claim),
    ),
  )
  locks.addAll(lockEndpoints(db, endpointIds))
  // 2. Changes of endpoints, operational webhooks, attempts and problems, while the claims are current.
  const conditional = [...health.statements, ...requests].map(({ statement, makes }) => {
    return { makes, result: whileClaimed.add(statement) }
  })
  whileClaimed.addAll(notifications)
  if (records) whileClaimed.addAll(records.before(db.dialect))
  whileClaimed.addAll(problems.statements)
  // 3. The outcomes.
  const lost = addSettle(settles, db, outcomes)
  // 4. The backlog behind each held row.
  for (const group of holds.groups) backlog.addAll(afterHolding(db, group, claim !== undefined))
  // 5. Held rows whose reason has ended meanwhile.
  if (holds.ids.length > 0) unblocked.add(resumeUnlessBlocked(db, holds.ids))
  // 6. Held rows in place of settled ones.
  for (const [endpointId, limit] of refills) {
    refilled.add(resumeStatement(db, { endpointId, limit, guard: acceptsDeliveries(endpointId) }))
  }
  // 7. The next claim.
  const claimed = claim && addClaim(claims, db, claim)
  await transaction.commit(db)
  const changes = conditional.flatMap(({ makes, result }) => (makes && result.changes > 0 ? [makes] : []))
  return { lost: lost(), claimed: claimed?.() ?? { claims: [], exhausted: [] }, changes }
}

function acceptsDeliveries(endpointId: string): SqlText {
  return sqlText`exists (select 1 from keepsend_endpoints as endpoint
    where endpoint.id = ${endpointId} and endpoint.status = 'enabled' and endpoint.circuit <> 'open'
      and endpoint.rate_limit is null and not ${isPaused('endpoint')})`
}

// Rows resumed beyond those that were settled, so that a lane that has run empty fills again.
const EXTRA_ROWS = 2

/**
 * How many held rows to resume of each endpoint that has some: as many as were settled, plus two. However long the backlog
 * is, few of its rows are due at a time and delay newer events.
 */
function refillsOf(finished: readonly FinishedDelivery[]): [string, number][] {
  const settled = new Map<string, number>()
  for (const { outcome } of finished) {
    if (!outcome.attempt?.mayRefill) continue
    const { endpointId } = outcome.attempt
    settled.set(endpointId, (settled.get(endpointId) ?? EXTRA_ROWS) + 1)
  }
  return [...settled]
}

/** The endpoints that a settle of these changes, other than those whose health it changes. */
function endpointsOf(finished: readonly FinishedDelivery[]): string[] {
  return finished.flatMap(({ claim, outcome }) => {
    if (outcome.kind === 'disable_endpoint') return [outcome.endpointId]
    return outcome.kind === 'hold' ? [endpointIdOf(claim.id)] : []
  })
}

interface HeldGroup {
  endpointId: string
  /** Undefined if the caller passed only the id and `gen` of the claim. */
  lane: LaneRef | undefined
  reason: HoldReason
  /** The earliest time of its outcomes. */
  resumeInMs: number | undefined
}

function holdsOf(finished: readonly FinishedDelivery[]): { ids: string[]; groups: HeldGroup[] } {
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

/** Holds the backlog of the lane, if a claim follows, and makes sure that the endpoint has a time to resume. */
function afterHolding(db: OutboxDatabase, group: HeldGroup, claims: boolean): SqlText[] {
  const { endpointId, lane, reason, resumeInMs = Infinity } = group
  const backlog = claims && lane ? [holdLane(db, lane, reason)] : []
  const inMs = Number.isFinite(resumeInMs) ? Math.ceil(resumeInMs) : HOLD_REASONS[reason].resumeWithinMs
  return [...backlog, resumeWithin(db, endpointId, inMs)]
}

function failureOf({ claim, outcome }: FinishedDelivery): FailedDelivery[] {
  if (!('error' in outcome) || toSettle({ claim, outcome }).settle !== 'fail') return []
  const error = outcome.kind === 'fail' ? (outcome.endsAs ?? outcome.error) : outcome.error
  return [{ claim, ...outcome, error }]
}

function toSettle({ claim, outcome }: FinishedDelivery): Outcome {
  switch (outcome.kind) {
    case 'complete':
    case 'filtered':
      return { claim, settle: 'complete' }
    case 'reschedule': {
      const { delayMs, deferral, error, httpStatus } = outcome
      return { claim, settle: 'reschedule', delayMs, deferral, error, httpStatus }
    }
    case 'fail':
      return { claim, settle: 'fail', error: outcome.endsAs ?? outcome.error, httpStatus: outcome.httpStatus }
    case 'disable_endpoint': {
      const { error, httpStatus } = outcome
      const succeeded = httpStatus >= 200 && httpStatus <= 299
      return succeeded ? { claim, settle: 'complete' } : { claim, settle: 'fail', error, httpStatus }
    }
    case 'hold': {
      const { reason, requestedPause } = outcome
      return { claim, settle: 'hold', reason, error: requestedPause?.error, httpStatus: requestedPause?.httpStatus }
    }
    case 'release':
      return { claim, settle: 'release' }
  }
}

/** Updates the endpoint cache after a settle, which may have changed the endpoints that were read. */
export function noteOutcomes(
  endpointCache: EndpointCache,
  finished: readonly FinishedDelivery[],
  failuresInRow: number,
): void {
  for (const { claim, outcome } of finished) {
    // A held row may be due again because its endpoint was enabled meanwhile: a stale snapshot would hold it once more.
    if (outcome.kind === 'hold' || outcome.kind === 'disable_endpoint') endpointCache.forget(endpointIdOf(claim.id))
    else if (outcome.attempt && healthSignalOf(outcome) === 'failure') {
      const { endpointId, at, timedOut } = outcome.attempt
      // A few time-outs open a circuit, and each has taken a whole deadline: reading the endpoint again costs little.
      endpointCache.failed(endpointId, at, timedOut ? 1 : failuresInRow)
    }
  }
}
