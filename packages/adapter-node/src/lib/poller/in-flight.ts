import type { Admission, DeliveryOutcome, FinishedDelivery } from '@keepsend/engine'
import type { Claim } from '@keepsend/outbox'
import { SwapRemoveSet } from '../swap-remove-set.ts'
import type { InFlightClaim, Lane, LaneOptions } from './lane.ts'
import { LaneScheduler } from './lane-scheduler.ts'
import type { Room } from './lane-backlog.ts'

/** A claim whose attempt has ended. */
export interface Finished extends FinishedDelivery {
  readonly held: InFlightClaim
  /** It never ran: held or released. */
  readonly isUnsent: boolean
}

export interface InFlightOptions extends LaneOptions {
  /** Outcomes that gather for one commit, at most. */
  settleBatch: number
}

const RELEASE: DeliveryOutcome = { kind: 'release' }
// A row whose rate limit has no slot time within this is held; one that waits for less stays in line.
const NEAR_MS = 1000
const ANYTHING: Admission = {
  hosts: new Map(),
  concurrency: new Map(),
  waitMs: new Map(),
  slackMs: new Map(),
  refused: new Map(),
}

/**
 * The claims in hand, each in one of three places:
 *
 * ```text
 *   add ──► waiting ──► running ──► finished ──► settled: out of hand
 *               └── released: it could not begin soon ──┘
 * ```
 *
 * At most `concurrency` run, and as many more in lent slots: whose turn it is, and to whom a slot is lent, is the lanes' to
 * say. At most `settleBatch` more wait to run, so that a slot that becomes free takes the next claim at once, without a
 * commit, while outcomes gather for a full one. What a crash can send twice (running, or finished and not settled) is at
 * most all of them together: `2 × concurrency + settleBatch`.
 */
export class InFlight {
  readonly lanes: LaneScheduler
  readonly #options: InFlightOptions
  readonly #inHand = new SwapRemoveSet<InFlightClaim>()
  #finished: Finished[] = []
  /** Of the finished, those that never ran: their lanes' rows are looked after in the same commit. */
  #unsent = 0
  /** Of the finished, those that ran in a slot of their own. */
  #attempted = 0

  constructor(options: InFlightOptions) {
    this.#options = options
    this.lanes = new LaneScheduler(options)
  }

  /** Everything whose lease is ours to renew. */
  get claims(): readonly InFlightClaim[] {
    return this.#inHand.items
  }

  get running(): number {
    return this.lanes.running
  }

  get waiting(): number {
    return this.lanes.waiting
  }

  /** The outcomes to settle. They stay in hand until {@link settled} says that they are committed. */
  get finished(): readonly Finished[] {
    return this.#finished
  }

  /**
   * How many to claim together with the settle of what has finished: what is free now, and twice as many as finished
   * since the last settle, because about as many will become free before the next. Slow receivers finish few, so few
   * are kept from other processes. While none is free, what would be lent to workspaces below their share, however much
   * waits.
   */
  get room(): Room {
    const { concurrency, settleBatch, slotsPerWorkspace } = this.#options
    const { running, waiting, ready } = this.lanes
    // Those that wait for a slot of their own endpoint are in nobody's way, and yet they are in hand. What has finished is
    // settled by the commit that claims.
    const inHand = 2 * concurrency + settleBatch - running - waiting
    const soon = concurrency - running + Math.min(settleBatch, 2 * this.#attempted) - ready
    const rows = Math.max(0, Math.min(soon, settleBatch + concurrency - waiting, inHand))
    if (rows > 0 || running < concurrency) return { rows, lent: 0 }
    const lent = Math.min(slotsPerWorkspace, 2 * concurrency - running - this.lanes.borrowing, inHand)
    return { rows, lent: Math.max(0, lent) }
  }

  /** Rows whose time has come that are claimed where they are: as many as are free, and not many. */
  get roomForDue(): number {
    const { concurrency } = this.#options
    return Math.max(0, Math.min(Math.ceil(concurrency / 4), concurrency - this.running))
  }

  /** Enough outcomes for a commit: a full batch, half a window when nothing waits to run, or all there is at the end. */
  get groupIsReady(): boolean {
    const { finished, running } = this
    const { concurrency, settleBatch } = this.#options
    if (finished.length === 0) return false
    if (running === 0 || this.#unsent > 0 || finished.length >= settleBatch) return true
    return finished.length * 2 >= concurrency && !this.lanes.isReady
  }

  /**
   * @param admission what the endpoints allow of these
   * @param beginBy see {@link InFlightClaim.beginBy}
   * @returns lanes to ask again, and in how many ms: what their rate limits have refused is back in line
   */
  add(claims: readonly Claim[], admission: Admission = ANYTHING, beginBy = Infinity): Map<Lane, number> {
    const now = this.#options.clock()
    const again = new Map<Lane, number>()
    for (const claim of claims) {
      const lane = this.lanes.of(claim)
      lane.limit = admission.concurrency.get(lane.endpointId)
      lane.host = admission.hosts.get(lane.endpointId)
      const waitMs = admission.waitMs.get(claim.id)
      const notBefore = waitMs === undefined ? 0 : now + waitMs
      const startBy = waitMs === undefined ? Infinity : notBefore + (admission.slackMs.get(lane.endpointId) ?? 0)
      const since = Math.max(now, notBefore)
      const held: InFlightClaim = { claim, lane, notBefore, since, startBy, beginBy, isLent: false, place: -1 }
      this.#inHand.add(held)
      const nextMs = admission.refused.get(claim.id)
      if (nextMs === undefined) this.lanes.wait(held)
      else if (nextMs > NEAR_MS) this.#putBack(held, { kind: 'hold', reason: 'rate_limited', resumeInMs: nextMs })
      else {
        this.#putBack(held, RELEASE)
        again.set(lane, Math.min(nextMs, again.get(lane) ?? Infinity))
      }
    }
    for (const lane of again.keys()) lane.isRefused = true
    this.#learnSlotTimes(claims, admission)
    return again
  }

  /** Asks a limited lane for no more than its limit granted, and for twice as many once it granted all. */
  #learnSlotTimes(claims: readonly Claim[], { slackMs, waitMs }: Admission): void {
    if (slackMs.size === 0) return
    const limited = Map.groupBy(
      claims.filter(({ endpointId }) => slackMs.has(endpointId)),
      (claim) => this.lanes.of(claim),
    )
    for (const [lane, asked] of limited) {
      const granted = asked.filter(({ id }) => waitMs.has(id)).length
      lane.slotTimes = granted < asked.length ? Math.max(1, granted) : Math.max(lane.slotTimes, 2 * granted)
    }
  }

  /** How long until the next claim that waits for its slot time may run, in ms; undefined if none does. */
  get nextSlotTimeMs(): number | undefined {
    const time = this.lanes.nextSlotTime
    return time === undefined ? undefined : Math.max(1, time - this.#options.clock())
  }

  /** The next claim to run, if one waits and a slot is free or lent. */
  next(): InFlightClaim | undefined {
    return this.lanes.next()
  }

  /** It came too late to run: its slot is free again, and the claim is to be given back. */
  drop(held: InFlightClaim): Claim {
    this.lanes.ended(held)
    this.#inHand.remove(held)
    return held.claim
  }

  /** Releases what has waited too long. Says whether there was any. */
  releaseOverflow(): boolean {
    const overflow = this.lanes.takeOverflow()
    for (const held of overflow) this.#putBack(held, RELEASE)
    return overflow.length > 0
  }

  #putBack(held: InFlightClaim, outcome: DeliveryOutcome): void {
    this.#finished.push({ held, claim: held.claim, outcome, isUnsent: true })
    this.#unsent++
  }

  /** Its settle waits: it stays in hand, and is among the finished again once it is unparked. */
  park(one: Finished): void {
    this.#finished = this.#finished.filter((other) => other !== one)
    this.#count()
  }

  unpark(one: Finished): void {
    if (!this.has(one.held)) return
    this.#finished.push(one)
    this.#count()
  }

  #count(): void {
    this.#unsent = this.#finished.filter(({ isUnsent }) => isUnsent).length
    this.#attempted = this.#finished.filter(({ held, isUnsent }) => !held.isLent && !isUnsent).length
  }

  /** Whether it is still in hand: a stop gives back what runs too long. */
  has(held: InFlightClaim): boolean {
    return this.#inHand.has(held)
  }

  finish(held: InFlightClaim, outcome: DeliveryOutcome): void {
    const { attempt } = outcome
    this.lanes.ended(held, attempt && { ...attempt, isSuccess: outcome.kind === 'complete' })
    this.#finished.push({ held, claim: held.claim, outcome, isUnsent: false })
    if (!held.isLent) this.#attempted++
    // Its endpoint takes nothing: what waits for it would hear the same, one by one.
    if (outcome.kind === 'hold') for (const other of this.lanes.takeWaiting(held.lane)) this.#putBack(other, RELEASE)
  }

  settled(outcomes: readonly Finished[]): void {
    for (const { held } of outcomes) this.#inHand.remove(held)
    this.#finished = this.#finished.filter(({ held }) => this.#inHand.has(held))
    this.#count()
  }

  /** Takes out of hand what has not begun, for it to be given back. */
  dropWaiting(): Claim[] {
    const waiting = this.lanes.takeWaiting()
    for (const held of waiting) this.#inHand.remove(held)
    return waiting.map(({ claim }) => claim)
  }

  /** Another worker has it: it must not begin here. */
  dropIfWaiting(held: InFlightClaim): void {
    if (this.lanes.takeWaiting(held).length > 0) this.#inHand.remove(held)
  }

  /** Takes everything out of hand. */
  dropAll(): Claim[] {
    const held = [...this.claims]
    for (const one of held) this.#inHand.remove(one)
    this.lanes.takeWaiting()
    this.#finished = []
    this.#unsent = 0
    this.#attempted = 0
    return held.map(({ claim }) => claim)
  }
}
