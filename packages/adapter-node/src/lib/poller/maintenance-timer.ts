import type { Engine } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { releaseEvents, sweepPendingEvents } from '@keepsend/outbox'

// A round is bounded; this many a tick keep up with thousands of settled rows a minute.
const MAX_ROUNDS = 20

/**
 * Clean-up on a slow cadence of its own, and with it the look for rows that were handed to a queue which this process
 * does not have: a database may have been fed by both.
 */
export class MaintenanceTimer {
  readonly #engine: Engine
  readonly #onDue: () => void
  readonly #timer: NodeJS.Timeout
  #work: Promise<void>
  #stopped = false

  /** @param onDue called when rows were made due, by statements that wake nobody */
  constructor(engine: Engine, everyMs: number, onDue: () => void) {
    this.#engine = engine
    this.#onDue = onDue
    this.#work = this.#tick()
    this.#timer = setInterval(() => {
      this.#work = this.#work.then(() => this.#tick())
    }, everyMs)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#work
  }

  async #tick(): Promise<void> {
    try {
      for (let round = 0; round < MAX_ROUNDS && !this.#stopped; round++) {
        const { more } = await this.#engine.worker.maintain()
        if (!more) break
      }
      await this.#takeHandedOff()
    } catch (error) {
      this.#engine.logger.error(errorFields(error), 'clean-up failed; it will be tried again')
    }
  }

  /** Each row found gets a due time, so that the poller claims it like any other. */
  async #takeHandedOff(): Promise<void> {
    let more = true
    while (more && !this.#stopped) {
      const swept = await sweepPendingEvents(this.#engine.db, { due: false, firstSends: 'all' })
      await releaseEvents(this.#engine.db, swept.events)
      if (swept.events.length > 0) {
        this.#engine.logger.info({ rows: swept.events.length }, 'took over rows of another queue')
        this.#onDue()
      }
      more = swept.more
    }
  }
}
