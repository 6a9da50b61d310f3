import type { Admission, DeliveryOutcome, FinishedDelivery } from '@keepsend/engine'
import type { Claim } from '@keepsend/outbox'
import { SwapRemoveSet } from '../swap-remove-set.ts'
import type { InFlightClaim, Lane, LaneOptions } from './lane.ts'
import { LaneScheduler } from './lane-scheduler.ts'
import type { Room } from './lane-backlog.ts'

/** A claim whose outcome is known and not settled yet. */
export interface Finished extends FinishedDelivery {
  readonly inFlight: InFlightClaim
  /** It never ran: to be held or released. */
  readonly isSkipped: boolean
}

export interface InFlightOptions extends LaneOptions {
  /** Rows that wait in memory to be sent, at most. */
  settleBatch: number
  /** Outcomes that a commit waits for, `settleBatch` at most; it settles all that are there. */
  groupSize: number
}

const RELEASE: DeliveryOutcome = { kind: 'release' }
// A row whose rate limit has no slot time within this is held; otherwise it is released and waits in its lane.
const NEAR_MS = 1000
const UNLIMITED: Admission = {
  hosts: new Map(),
  concurrency: new Map(),
  waitMs: new Map(),
  slackMs: new Map(),
  refused: new Map(),
}

/**
 * The claims in flight, from the claim to the commit of their settle. Their leases are renewed all along.
 *
 * ```text
 *   state      entered by                                    left by
 *   waiting    add                                           next, releaseOverflow, drop…
 *   running    next (LaneScheduler chooses)                  finish, drop
 *   finished   finish; add and releaseOverflow, for claims   settled, once committed; a refused commit changes nothing
 *              that are held or released without running
 *   parked     park: another session locks the row           unpark, back to finished
 *   (gone)     settled, drop, dropWaiting, dropAll           a late outcome is ignored
 * ```
 *
 * At most `concurrency` run, and as many more in lent slots. At most `settleBatch` more wait, so that a free slot starts
 * the next claim immediately, without a commit, while outcomes gather for a full one. A crash can duplicate at most all
 * claims in flight: `2 × concurrency + settleBatch`.
 */
export class InFlight {
  readonly lanes: LaneScheduler
  readonly #options: InFlightOptions
  readonly #claims = new SwapRemoveSet<InFlightClaim>()
  #finished: Finished[] = []
  /** Finished claims that never ran; they are settled without waiting for a full group. */
  #skipped = 0
  /** Finished claims that ran in a slot within `concurrency`. */
  #attempted = 0

  constructor(options: InFlightOptions) {
    this.#options = options
    this.lanes = new LaneScheduler(options)
  }

  /** All claims in flight: their leases are renewed. */
  get claims(): readonly InFlightClaim[] {
    return this.#claims.items
  }

  get running(): number {
    return this.lanes.running
  }

  get waiting(): number {
    return this.lanes.waiting
  }

  /** Outcomes to settle, until {@link settled} removes them. */
  get finished(): readonly Finished[] {
    return this.#finished
  }

  /**
   * How many rows to claim in the commit that settles the finished ones: the free slots, and twice as many as finished since
   * the last settle, because about as many will become free before the next. Slow receivers finish few, so few rows are
   * withheld from other processes. While no slot is free, only rows that would start in lent slots are claimed.
   */
  get room(): Room {
    const { concurrency, settleBatch, slotsPerWorkspace } = this.#options
    const { running, waiting, runnableCount } = this.lanes
    // Claims that wait for their own lane's limit take no slot from others, but count in the bound of claims in flight.
    // Finished ones do not count: the commit that claims settles them.
    const left = 2 * concurrency + settleBatch - running - waiting
    const soon = concurrency - running + Math.min(settleBatch, 2 * this.#attempted) - runnableCount
    const rows = Math.max(0, Math.min(soon, settleBatch + concurrency - waiting, left))
    if (rows > 0 || running < concurrency) return { rows, lent: 0 }
    const lent = Math.min(slotsPerWorkspace, 2 * concurrency - running - this.lanes.borrowableCount, left)
    return { rows, lent: Math.max(0, lent) }
  }

  /** Rows to claim by due time instead of through a lane: the free slots, and a quarter of `concurrency` at most. */
  get roomForDue(): number {
    const { concurrency } = this.#options
    return Math.max(0, Math.min(Math.ceil(concurrency / 4), concurrency - this.running))
  }

  /** Enough for a commit: a full group, half of `concurrency` if nothing waits to run, any if nothing runs or some never ran. */
  get groupIsReady(): boolean {
    const { finished, running } = this
    const { concurrency, groupSize } = this.#options
    if (finished.length === 0) return false
    if (running === 0 || this.#skipped > 0 || finished.length >= groupSize) return true
    return finished.length * 2 >= concurrency && !this.lanes.hasRunnable
  }

  /**
   * @param admission see `engine.worker.admit`
   * @param beginBy see {@link InFlightClaim.beginBy}
   * @returns lanes whose rate limit refused a row, and in how many ms to claim of them again
   */
  add(claims: readonly Claim[], admission: Admission = UNLIMITED, beginBy = Infinity): Map<Lane, number> {
    const now = this.#options.clock()
    const again = new Map<Lane, number>()
    for (const claim of claims) {
      const lane = this.lanes.laneFor(claim)
      lane.limit = admission.concurrency.get(lane.endpointId)
      lane.host = admission.hosts.get(lane.endpointId)
      const waitMs = admission.waitMs.get(claim.id)
      const notBefore = waitMs === undefined ? 0 : now + waitMs
      const startBy = waitMs === undefined ? Infinity : notBefore + (admission.slackMs.get(lane.endpointId) ?? 0)
      const since = Math.max(now, notBefore)
      const inFlight: InFlightClaim = { claim, lane, notBefore, since, startBy, beginBy, isLent: false, place: -1 }
      this.#claims.add(inFlight)
      const nextMs = admission.refused.get(claim.id)
      if (nextMs === undefined) this.lanes.enqueue(inFlight)
      else if (nextMs > NEAR_MS) this.#skip(inFlight, { kind: 'hold', reason: 'rate_limited', resumeInMs: nextMs })
      else {
        this.#skip(inFlight, RELEASE)
        again.set(lane, Math.min(nextMs, again.get(lane) ?? Infinity))
      }
    }
    for (const lane of again.keys()) lane.isRefused = true
    this.#learnSlotTimes(claims, admission)
    return again
  }

  /** Claims no more of a rate-limited lane than its limit granted, and twice as many once it granted all. */
  #learnSlotTimes(claims: readonly Claim[], { slackMs, waitMs }: Admission): void {
    if (slackMs.size === 0) return
    const limited = Map.groupBy(
      claims.filter(({ endpointId }) => slackMs.has(endpointId)),
      (claim) => this.lanes.laneFor(claim),
    )
    for (const [lane, claimed] of limited) {
      const granted = claimed.filter(({ id }) => waitMs.has(id)).length
      lane.slotTimes = granted < claimed.length ? Math.max(1, granted) : Math.max(lane.slotTimes, 2 * granted)
    }
  }

  /** Time to the earliest slot time of a waiting claim, in ms; undefined if none has one. */
  get nextSlotTimeMs(): number | undefined {
    const time = this.lanes.nextSlotTime
    return time === undefined ? undefined : Math.max(1, time - this.#options.clock())
  }

  /** Starts the next claim; undefined if none may start. */
  next(): InFlightClaim | undefined {
    return this.lanes.next()
  }

  /** Frees the slot of a claim that is past its `beginBy`, and returns the claim for release. */
  drop(inFlight: InFlightClaim): Claim {
    this.lanes.finishAttempt(inFlight)
    this.#claims.remove(inFlight)
    return inFlight.claim
  }

  /** Finishes with a release the claims that have waited too long. Returns whether there were any. */
  releaseOverflow(): boolean {
    const overflow = this.lanes.takeOverflow()
    for (const inFlight of overflow) this.#skip(inFlight, RELEASE)
    return overflow.length > 0
  }

  #skip(inFlight: InFlightClaim, outcome: DeliveryOutcome): void {
    this.#finished.push({ inFlight, claim: inFlight.claim, outcome, isSkipped: true })
    this.#skipped++
  }

  /** Takes an outcome out of {@link finished} until {@link unpark}; its lease is still renewed. */
  park(one: Finished): void {
    this.#finished = this.#finished.filter((other) => other !== one)
    this.#count()
  }

  unpark(one: Finished): void {
    if (!this.has(one.inFlight)) return
    this.#finished.push(one)
    this.#count()
  }

  #count(): void {
    this.#skipped = this.#finished.filter(({ isSkipped }) => isSkipped).length
    this.#attempted = this.#finished.filter(({ inFlight, isSkipped }) => !inFlight.isLent && !isSkipped).length
  }

  /** False once a stop has released it. */
  has(inFlight: InFlightClaim): boolean {
    return this.#claims.has(inFlight)
  }

  finish(inFlight: InFlightClaim, outcome: DeliveryOutcome): void {
    const { attempt } = outcome
    this.lanes.finishAttempt(inFlight, attempt && { ...attempt, isSuccess: outcome.kind === 'complete' })
    this.#finished.push({ inFlight, claim: inFlight.claim, outcome, isSkipped: false })
    if (!inFlight.isLent) this.#attempted++
    // The endpoint is blocked: its waiting claims would each run into the same outcome.
    if (outcome.kind === 'hold') for (const other of this.lanes.takeWaiting(inFlight.lane)) this.#skip(other, RELEASE)
  }

  settled(outcomes: readonly Finished[]): void {
    for (const { inFlight } of outcomes) this.#claims.remove(inFlight)
    this.#finished = this.#finished.filter(({ inFlight }) => this.#claims.has(inFlight))
    this.#count()
  }

  /** Removes the claims that have not started, and returns them for release. */
  dropWaiting(): Claim[] {
    const waiting = this.lanes.takeWaiting()
    for (const inFlight of waiting) this.#claims.remove(inFlight)
    return waiting.map(({ claim }) => claim)
  }

  /** Removes a claim whose lease is lost, unless it runs already. */
  dropIfWaiting(inFlight: InFlightClaim): void {
    if (this.lanes.takeWaiting(inFlight).length > 0) this.#claims.remove(inFlight)
  }

  /** Removes and returns all claims; late outcomes are ignored. */
  dropAll(): Claim[] {
    const all = [...this.claims]
    for (const inFlight of all) this.#claims.remove(inFlight)
    this.lanes.takeWaiting()
    this.#finished = []
    this.#skipped = 0
    this.#attempted = 0
    return all.map(({ claim }) => claim)
  }
}
