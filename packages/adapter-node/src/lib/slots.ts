import type { DeliveryOutcome, FinishedDelivery } from '@keepsend/engine'
import type { Claim } from '@keepsend/outbox'
import { Bag, type Placed } from './bag.ts'

/** A claim in hand. Its attempt is another's once the lease is lost, and then its settle says so. */
export interface Held extends Placed {
  readonly claim: Claim
}

/** A claim whose attempt has ended. */
export interface Finished extends FinishedDelivery {
  readonly held: Held
}

// What one claim may take.
const MAX_CLAIM = 1000

/**
 * The claims in hand, each in one of three places:
 *
 * ```text
 *   add ──► waiting ──► running ──► finished ──► settled: out of hand
 * ```
 *
 * At most `concurrency` run. At most `settleBatch` more wait to run, so that a slot that becomes free takes the next
 * claim at once, without a commit, while outcomes gather for a full one. What a crash can send twice (running, or
 * finished and not settled) is at most the two together.
 */
export class Slots {
  readonly #concurrency: number
  readonly #settleBatch: number
  readonly #inHand = new Bag<Held>()
  #waiting: Held[] = []
  #finished: Finished[] = []

  constructor(concurrency: number, settleBatch: number) {
    this.#concurrency = concurrency
    this.#settleBatch = settleBatch
  }

  /** Everything whose lease is ours to renew. */
  get inHand(): readonly Held[] {
    return this.#inHand.items
  }

  get running(): number {
    return this.#inHand.size - this.#waiting.length - this.#finished.length
  }

  get waiting(): number {
    return this.#waiting.length
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
    const { running, waiting, finished } = this
    const free = this.#concurrency - running - waiting
    return Math.min(MAX_CLAIM, Math.max(0, free + Math.min(this.#settleBatch, 2 * finished.length)))
  }

  /** Enough outcomes for a commit: a full batch, half a window when nothing waits to run, or all there is at the end. */
  get groupIsReady(): boolean {
    const { running, waiting, finished } = this
    if (finished.length === 0) return false
    if (running === 0 || finished.length >= this.#settleBatch) return true
    return waiting === 0 && finished.length * 2 >= this.#concurrency
  }

  add(claims: readonly Claim[]): void {
    for (const claim of claims) {
      const held: Held = { claim, place: -1 }
      this.#inHand.add(held)
      this.#waiting.push(held)
    }
  }

  /** The next claim to run, if one waits and a slot is free. */
  next(): Held | undefined {
    return this.running < this.#concurrency ? this.#waiting.shift() : undefined
  }

  /** Whether it is still in hand: a stop gives back what runs too long. */
  has(held: Held): boolean {
    return this.#inHand.has(held)
  }

  finish(held: Held, outcome: DeliveryOutcome): void {
    this.#finished.push({ held, claim: held.claim, outcome })
  }

  settled(outcomes: readonly Finished[]): void {
    for (const { held } of outcomes) this.#inHand.remove(held)
    this.#finished = this.#finished.filter(({ held }) => this.#inHand.has(held))
  }

  /** Takes out of hand what has not begun, for it to be given back. */
  dropWaiting(): Claim[] {
    const waiting = this.#waiting
    this.#waiting = []
    for (const held of waiting) this.#inHand.remove(held)
    return waiting.map(({ claim }) => claim)
  }

  /** Another worker has it: it must not begin here. */
  dropIfWaiting(held: Held): void {
    if (!this.#waiting.includes(held)) return
    this.#waiting = this.#waiting.filter((one) => one !== held)
    this.#inHand.remove(held)
  }

  /** Takes everything out of hand. */
  dropAll(): Claim[] {
    const held = [...this.inHand]
    for (const one of held) this.#inHand.remove(one)
    this.#waiting = []
    this.#finished = []
    return held.map(({ claim }) => claim)
  }
}
