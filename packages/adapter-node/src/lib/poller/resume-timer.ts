import type { DeliveryOutcome, Engine } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import type { LaneRef } from '@keepsend/outbox'

// Two looks in a row are this far apart, whatever asks for them.
const APART_MS = 50

/**
 * Lets out what is held, when its endpoint's time has come: at the time that the database names, when rows were held
 * here, and with the safety poll.
 */
export class ResumeTimer {
  readonly #engine: Engine
  readonly #pollMs: number
  readonly #onLetOut: (lane: LaneRef) => void
  #timer: NodeJS.Timeout | undefined
  #dueAt = Infinity
  #work: Promise<void> | undefined
  #again = false
  #stopped = false

  /** @param onLetOut called for each row that was put in line, by statements that wake nobody */
  constructor(engine: Engine, pollMs: number, onLetOut: (lane: LaneRef) => void) {
    this.#engine = engine
    this.#pollMs = pollMs
    this.#onLetOut = onLetOut
    this.look()
  }

  /** Rows were held or let out: there may be a new time. */
  look(): void {
    if (this.#work) this.#again = true
    else this.#lookIn(APART_MS)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#work
  }

  #lookIn(ms: number): void {
    const dueAt = performance.now() + ms
    if (this.#stopped || dueAt >= this.#dueAt) return
    clearTimeout(this.#timer)
    this.#dueAt = dueAt
    this.#timer = setTimeout(() => {
      this.#dueAt = Infinity
      this.#work = this.#wake().then((nextMs) => {
        this.#work = undefined
        this.#lookIn(Math.max(APART_MS, this.#again ? 0 : Math.min(this.#pollMs, nextMs)))
        this.#again = false
      })
    }, ms)
  }

  async #wake(): Promise<number> {
    try {
      const { resumed, nextMs } = await this.#engine.worker.resumeHeld()
      for (const row of resumed) this.#onLetOut(row)
      return nextMs ?? this.#pollMs
    } catch (error) {
      this.#engine.logger.error(errorFields(error), 'held rows could not be let out; they will be looked at again')
      return this.#pollMs
    }
  }
}

/** Whether rows of its endpoint are held, so that there is a time to wake, which may have been set elsewhere. */
export function leavesHeld({ kind, attempt }: DeliveryOutcome): boolean {
  return kind === 'hold' || attempt?.circuitOpen === true || attempt?.heldBack === true
}
