import type { FinishedDelivery } from '@keepsend/engine'
import type { Claim } from '@keepsend/outbox'

/**
 * The rolling window of attempts. A slot is taken by a claim and given back when its settle is committed, not when its
 * answer arrives: so what a crash can send twice is never more than the window.
 */
export class Slots {
  readonly #size: number
  readonly #taken = new Map<string, Claim>()
  #finished: FinishedDelivery[] = []

  constructor(size: number) {
    this.#size = size
  }

  get free(): number {
    return this.#size - this.#taken.size
  }

  /** Attempts whose answer has not come yet. */
  get running(): number {
    return this.#taken.size - this.#finished.length
  }

  get finishedCount(): number {
    return this.#finished.length
  }

  /** Every claim in hand, its attempt running or its settle not committed yet. */
  get claims(): Claim[] {
    return [...this.#taken.values()]
  }

  take(claim: Claim): void {
    this.#taken.set(claim.id, claim)
  }

  /** Whether the claim is still in hand: a stop gives back what runs too long. */
  has(claim: Claim): boolean {
    return this.#taken.get(claim.id)?.gen === claim.gen
  }

  finish(finished: FinishedDelivery): void {
    this.#finished.push(finished)
  }

  /** The outcomes to settle. They stay in hand until {@link give} says that they are committed. */
  get finished(): readonly FinishedDelivery[] {
    return this.#finished
  }

  give(settled: readonly FinishedDelivery[]): void {
    const ids = new Set(settled.map(({ claim }) => claim.id))
    for (const id of ids) this.#taken.delete(id)
    this.#finished = this.#finished.filter(({ claim }) => !ids.has(claim.id))
  }

  /** Forgets a claim that was given back to the database. */
  drop(claim: Claim): void {
    this.#taken.delete(claim.id)
  }
}
