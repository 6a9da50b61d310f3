import type { Choice, Fault } from './story.ts'
import type { Process } from './world.ts'

/** Something that may happen next. */
export interface Happening {
  label: string
  run(choice: Choice): void
}

/** Who takes part in a world: pollers on Node, or isolates around a queue. */
export interface Cast {
  /** Those who could publish now. */
  readonly publishers: readonly Process[]
  /** What comes from outside by itself: a batch that is brought, a cron that is due. */
  happenings(): readonly Happening[]
  /** When the next of those is due, on the monotonic clock. */
  next(): number | undefined
  /** What a fault of this kind would do now; undefined when there is nothing to do it to. */
  disturb(fault: Fault, choice: Choice): void
  /** Faults have stopped: everybody who is needed is there. */
  calmDown(): void
  /** Whether nothing is on its way. */
  atRest(): boolean
  /** After the last row: everybody stops; resolves when they have. */
  stop(): Promise<void>
  /** How long after its due time the last row may take to settle, in ms. */
  readonly patienceMs: number
}
