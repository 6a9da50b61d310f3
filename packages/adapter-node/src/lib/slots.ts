import type { FinishedDelivery } from '@keepsend/engine'
import type { Claim } from '@keepsend/outbox'

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
  readonly #inHand = new Map<string, Claim>()
  #waiting: Claim[] = []
  #finished: FinishedDelivery[] = []

  constructor(concurrency: number, settleBatch: number) {
    this.#concurrency = concurrency
    this.#settleBatch = settleBatch
  }

  /** Every claim whose lease is ours to renew. */
  get claims(): Claim[] {
    return [...this.#inHand.values()]
  }

  get running(): number {
    return this.#inHand.size - this.#waiting.length - this.#finished.length
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** The outcomes to settle. They stay in hand until {@link settled} says that they are committed. */
  get finished(): readonly FinishedDelivery[] {
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
    for (const claim of claims) this.#inHand.set(claim.id, claim)
    this.#waiting.push(...claims)
  }

  /** The next claim to run, if one waits and a slot is free. */
  next(): Claim | undefined {
    return this.running < this.#concurrency ? this.#waiting.shift() : undefined
  }

  /** Whether the claim is still in hand: a stop gives back what runs too long, and a lost lease may have come back. */
  has(claim: Claim): boolean {
    return this.#inHand.get(claim.id)?.gen === claim.gen
  }

  finish(finished: FinishedDelivery): void {
    this.#finished.push(finished)
  }

  settled(outcomes: readonly FinishedDelivery[]): void {
    const done = new Set(outcomes)
    for (const { claim } of outcomes) this.#inHand.delete(claim.id)
    this.#finished = this.#finished.filter((one) => !done.has(one))
  }

  /** Takes out of hand what has not begun, for it to be given back. */
  dropWaiting(): Claim[] {
    const waiting = this.#waiting
    this.#waiting = []
    for (const claim of waiting) this.#inHand.delete(claim.id)
    return waiting
  }

  /** Another worker has it: it must not begin here. */
  dropIfWaiting(claim: Claim): void {
    if (!this.#waiting.includes(claim)) return
    this.#waiting = this.#waiting.filter((one) => one !== claim)
    this.#inHand.delete(claim.id)
  }

  /** Takes everything out of hand. */
  dropAll(): Claim[] {
    const { claims } = this
    this.#inHand.clear()
    this.#waiting = []
    this.#finished = []
    return claims
  }
}
