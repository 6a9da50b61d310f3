import type { Choice, Fault } from './story.ts'
import type { Process } from './world.ts'

/** An event that may happen next. */
export interface Happening {
  label: string
  run(choice: Choice): void
}

/** The participants of a world: pollers on Node, or isolates around a queue. */
export interface Cast {
  /** Processes that could publish now. */
  readonly publishers: readonly Process[]
  /** Events from outside: the delivery of a batch, a cron that is due. */
  happenings(): readonly Happening[]
  /** When the next of those is due, on the monotonic clock. */
  next(): number | undefined
  /** Applies a fault of this kind; does nothing if it has no target. */
  disturb(fault: Fault, choice: Choice): void
  /** Faults have stopped: starts every process that is needed. */
  calmDown(): void
  /** Whether nothing is in flight. */
  atRest(): boolean
  /** After the last row: stops all processes; resolves when they have stopped. */
  stop(): Promise<void>
  /** How long after its due time the last row may take to settle, in ms. */
  readonly patienceMs: number
}
