import type { DeliveryOutcome, Engine } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import type { LaneRef } from '@keepsend/outbox'
import { JobTimer } from './job-timer.ts'

// At least this between two runs.
const APART_MS = 50

/**
 * Resumes held rows when their endpoints' `resume_at` has come. Runs at the earliest `resume_at` in the database, after rows
 * were held here, after a step of a replay, and at least every `pollMs`.
 */
export class ResumeTimer {
  readonly #engine: Engine
  readonly #pollMs: number
  readonly #onResumed: (lane: LaneRef) => void
  readonly #jobs: JobTimer
  #timer: NodeJS.Timeout | undefined
  #dueAt = Infinity
  #work: Promise<void> | undefined
  #again = false
  #stopped = false

  /** @param onResumed called for each resumed row; the statements themselves trigger no poll */
  constructor(engine: Engine, pollMs: number, onResumed: (lane: LaneRef) => void) {
    this.#engine = engine
    this.#pollMs = pollMs
    this.#onResumed = onResumed
    this.#jobs = new JobTimer(engine, () => this.runSoon())
    this.runSoon()
  }

  /** Rows were held or resumed: runs soon, because the earliest `resume_at` may have changed. */
  runSoon(): void {
    if (this.#work) this.#again = true
    else this.#runIn(APART_MS)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await Promise.all([this.#work, this.#jobs.stop()])
  }

  #runIn(ms: number): void {
    const dueAt = performance.now() + ms
    if (this.#stopped || dueAt >= this.#dueAt) return
    clearTimeout(this.#timer)
    this.#dueAt = dueAt
    this.#timer = setTimeout(() => {
      this.#dueAt = Infinity
      this.#work = this.#resume().then((nextMs) => {
        this.#work = undefined
        this.#runIn(Math.max(APART_MS, this.#again ? 0 : Math.min(this.#pollMs, nextMs)))
        this.#again = false
      })
    }, ms)
  }

  async #resume(): Promise<number> {
    try {
      const { resumed, nextMs } = await this.#engine.worker.resumeHeld()
      for (const row of resumed) this.#onResumed(row)
      return nextMs ?? this.#pollMs
    } catch (error) {
      this.#engine.logger.error(errorFields(error), 'failed to resume held rows; retrying')
      return this.#pollMs
    }
  }
}

/** Whether rows of its endpoint are held, so that there is a `resume_at`, set here or by another process. */
export function leavesHeld({ kind, attempt }: DeliveryOutcome): boolean {
  return kind === 'hold' || attempt?.circuitOpen === true || attempt?.hasHeldRows === true
}
