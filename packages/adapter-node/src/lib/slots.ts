import type { Admission, DeliveryOutcome, FinishedDelivery } from '@keepsend/engine'
import type { Claim } from '@keepsend/outbox'
import { Bag } from './bag.ts'
import { type Held, type LaneOptions, Lanes } from './lanes.ts'

/** A claim whose attempt has ended. */
export interface Finished extends FinishedDelivery {
  readonly held: Held
}

export interface SlotsOptions extends LaneOptions {
  /** Outcomes that gather for one commit, at most. */
  settleBatch: number
}

const BUSY: DeliveryOutcome = { kind: 'hold', reason: 'busy' }
const RATE: DeliveryOutcome = { kind: 'hold', reason: 'rate' }
const ANYTHING: Admission = { concurrency: new Map(), waitMs: new Map(), refused: new Map() }

// What one claim may take.
const MAX_CLAIM = 1000

/**
 * The claims in hand, each in one of three places:
 *
 * ```text
 *   add ──► waiting ──► running ──► finished ──► settled: out of hand
 *               └── held: its endpoint is busy ──┘
 * ```
 *
 * At most `concurrency` run, and as many more while endpoints that were fast have fallen silent. Whose turn it is, and how
 * many of one endpoint run, is the lanes' to say. At most `settleBatch` more wait to run, so that a slot that becomes free takes the next
 * claim at once, without a commit, while outcomes gather for a full one. What a crash can send twice (running, or
 * finished and not settled) is at most the two together.
 */
export class Slots {
  readonly #concurrency: number
  readonly #settleBatch: number
  readonly #lanes: Lanes
  readonly #clock: () => number
  readonly #inHand = new Bag<Held>()
  #running = 0
  #finished: Finished[] = []
  /** Of the finished, those that never ran: what would be claimed for them is put aside in the same commit. */
  #heldBack = 0

  constructor({ settleBatch, ...lanes }: SlotsOptions) {
    this.#concurrency = lanes.concurrency
    this.#settleBatch = settleBatch
    this.#lanes = new Lanes(lanes)
    this.#clock = lanes.clock
  }

  /** Everything whose lease is ours to renew. */
  get inHand(): readonly Held[] {
    return this.#inHand.items
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#lanes.waiting
  }

  /** The outcomes to settle. They stay in hand until {@link settled} says that they are committed. */
  get finished(): readonly Finished[] {
    return this.#finished
  }

  /**
   * How many to claim together with the settle of what has finished: what is free now, and twice as many as finished
   * since the last settle, because about as many will become free before the next. Slow receivers finish few, so few
   * are kept from other processes.
   */
  get wanted(): number {
    const { waiting, finished } = this
    const attempted = finished.length - this.#heldBack
    const wanted = this.#free - this.#lanes.ready + Math.min(this.#settleBatch, 2 * attempted)
    // Those that wait for a slot of their own endpoint are in nobody's way, and yet they are in hand.
    const bound = this.#concurrency + this.#settleBatch - waiting
    return Math.min(MAX_CLAIM, Math.max(0, Math.min(wanted, bound)))
  }

  /** Enough outcomes for a commit: a full batch, half a window when nothing waits to run, or all there is at the end. */
  get groupIsReady(): boolean {
    const { running, finished } = this
    if (finished.length === 0) return false
    if (running === 0 || this.#heldBack > 0 || finished.length >= this.#settleBatch) return true
    return this.#lanes.ready === 0 && finished.length * 2 >= this.#concurrency
  }

  /**
   * @param admission what the endpoints allow of these
   * @param beginBy see {@link Held.beginBy}
   */
  add(claims: readonly Claim[], admission: Admission = ANYTHING, beginBy = Infinity): void {
    const now = this.#clock()
    for (const claim of claims) {
      const lane = this.#lanes.of(claim.endpointId ?? '')
      lane.limit = admission.concurrency.get(lane.endpointId)
      const waitMs = admission.waitMs.get(claim.id)
      const notBefore = waitMs === undefined ? 0 : now + waitMs
      const held: Held = { claim, lane, notBefore, beginBy, place: -1 }
      this.#inHand.add(held)
      if (admission.refused.has(claim.id)) this.#holdBack(held, RATE)
      else this.#lanes.wait(held)
    }
  }

  /** How long until the next claim that waits for its moment may run, in ms; undefined if none does. */
  get nextMomentMs(): number | undefined {
    const moment = this.#lanes.nextMoment
    return moment === undefined ? undefined : Math.max(1, moment - this.#clock())
  }

  /** The next claim to run, if one waits and a slot is free. */
  next(): Held | undefined {
    const held = this.#free > 0 ? this.#lanes.next() : undefined
    if (held) this.#running++
    return held
  }

  /** It came too late to run: its slot is free again, and the claim is to be given back. */
  drop(held: Held): Claim {
    this.#running--
    this.#lanes.ended(held.lane, undefined)
    this.#inHand.remove(held)
    return held.claim
  }

  /** Slots that are free; those that were lent to an endpoint which has fallen silent are given anew, once. */
  get #free(): number {
    return this.#concurrency - this.#running + Math.min(this.#concurrency, this.#lanes.silent)
  }

  /** Holds what waits for an endpoint that can take no more for now. Says whether there was any. */
  holdOverflow(): boolean {
    const overflow = this.#lanes.takeOverflow()
    for (const held of overflow) this.#holdBack(held, BUSY)
    return overflow.length > 0
  }

  #holdBack(held: Held, outcome: DeliveryOutcome): void {
    this.#finished.push({ held, claim: held.claim, outcome })
    this.#heldBack++
  }

  /** Something has finished of an endpoint that has rows held: with its settle others are let out. */
  get owesRoom(): boolean {
    return this.#finished.some(
      ({ held, outcome }) => outcome.attempt && (outcome.attempt.makesRoom || this.#lanes.heldLately(held.lane)),
    )
  }

  /** How many more claims of an endpoint could begin soon; 0 for one of which nothing is known to be held. */
  roomFor(endpointId: string, makesRoom: boolean): number {
    if (!makesRoom && !this.#lanes.heldLately(this.#lanes.of(endpointId))) return 0
    return Math.min(this.#concurrency + this.#settleBatch, this.#lanes.roomFor(endpointId))
  }

  /** Whether it is still in hand: a stop gives back what runs too long. */
  has(held: Held): boolean {
    return this.#inHand.has(held)
  }

  finish(held: Held, outcome: DeliveryOutcome): void {
    this.#running--
    this.#lanes.ended(held.lane, outcome.attempt?.tookMs)
    this.#finished.push({ held, claim: held.claim, outcome })
  }

  settled(outcomes: readonly Finished[]): void {
    for (const { held } of outcomes) this.#inHand.remove(held)
    this.#finished = this.#finished.filter(({ held }) => this.#inHand.has(held))
    this.#heldBack = this.#finished.filter(({ outcome }) => outcome === BUSY || outcome === RATE).length
  }

  /** Takes out of hand what has not begun, for it to be given back. */
  dropWaiting(): Claim[] {
    const waiting = this.#lanes.takeWaiting()
    for (const held of waiting) this.#inHand.remove(held)
    return waiting.map(({ claim }) => claim)
  }

  /** Another worker has it: it must not begin here. */
  dropIfWaiting(held: Held): void {
    if (this.#lanes.takeWaiting(held).length > 0) this.#inHand.remove(held)
  }

  /** Takes everything out of hand. */
  dropAll(): Claim[] {
    const held = [...this.inHand]
    for (const one of held) this.#inHand.remove(one)
    this.#lanes.takeWaiting()
    this.#running = 0
    this.#finished = []
    this.#heldBack = 0
    return held.map(({ claim }) => claim)
  }
}
