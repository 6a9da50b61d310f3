/** The faults of a story. */
export const FAULTS = [
  'database refuses',
  'commit is ambiguous',
  'receiver fails',
  'receiver is down',
  'receiver refuses',
  'receiver asks to wait',
  'receiver is silent',
  'answer is lost',
  'process dies',
  'process pauses',
  'process stops',
  'clock jumps',
  'endpoint is disabled',
  'endpoint is paused',
  'row is replayed',
  'event is published again',
  'queue refuses',
  'queue does not answer',
  'message is lost',
  'message comes twice',
] as const

export type Fault = (typeof FAULTS)[number]

/** Everything that decides the course of a simulation: the same story has the same steps. */
export interface Story {
  world: 'node' | 'cloudflare'
  /** Maximum age of a delivery, in ms. @default the engine's, longer than any story */
  maxAgeMs?: number | undefined
  faults: readonly Fault[]
  /** One number a step: the event, its target and its result. */
  choices: readonly number[]
}

/** One choice, read as several small ones. 0 is always the one without faults. */
export class Choice {
  #rest: number

  constructor(number: number) {
    this.#rest = number
  }

  /** A number below `count`. */
  below(count: number): number {
    const taken = this.#rest % count
    this.#rest = Math.floor(this.#rest / count)
    return taken
  }

  /** One of them; the first is the one without faults. */
  of<T>(items: readonly T[]): T | undefined {
    return items[this.below(Math.max(1, items.length))]
  }

  /** Mostly the first, `calm`; sometimes one of the others. */
  mostly<T>(calm: T, others: readonly T[]): T {
    if (others.length === 0 || this.below(10) < 7) return calm
    return this.of(others) as T
  }
}
