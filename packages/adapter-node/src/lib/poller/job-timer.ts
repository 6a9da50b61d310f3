import type { Engine } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'

// Between two looks at most: a job that another process made begins within this time.
const LOOK_MS = 1000
// And at least: a job flows, and other writers get in between its steps.
const APART_MS = 100

/** Steps replay jobs and erasures when they are due. */
export class JobTimer {
  readonly #engine: Engine
  readonly #onStepped: () => void
  #timer: NodeJS.Timeout | undefined
  #work = Promise.resolve()
  #stopped = false

  /** @param onStepped called when steps have held rows that are to be resumed */
  constructor(engine: Engine, onStepped: () => void) {
    this.#engine = engine
    this.#onStepped = onStepped
    this.#runIn(APART_MS)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#work
  }

  #runIn(ms: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#work = this.#step().then((nextMs) => this.#runIn(Math.max(APART_MS, Math.min(LOOK_MS, nextMs))))
    }, ms)
  }

  async #step(): Promise<number> {
    const { worker } = this.#engine
    const replays = await this.#look('replays', async () => {
      const { steps, nextMs } = await worker.stepReplays({ everyMs: LOOK_MS })
      if (steps.length > 0) this.#onStepped()
      return nextMs
    })
    const erasures = await this.#look('erasures', async () => (await worker.stepErasures()).nextMs)
    return Math.min(replays, erasures)
  }

  async #look(jobs: string, step: () => Promise<number | null>): Promise<number> {
    try {
      return (await step()) ?? LOOK_MS
    } catch (error) {
      this.#engine.logger.error(errorFields(error), `failed to look for ${jobs}; retrying`)
      return LOOK_MS
    }
  }
}
