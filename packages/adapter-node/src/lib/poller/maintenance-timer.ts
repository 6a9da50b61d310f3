import type { Engine } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { releaseEvents, sweepPendingEvents } from '@keepsend/outbox'

// Each round deletes a bounded number of rows; 20 rounds a tick keep up with thousands of settled rows a minute.
const MAX_ROUNDS = 20

/**
 * Runs maintenance at its own interval, and adopts rows that were dispatched to another queue: a Cloudflare consumer may
 * have worked on the same database before.
 */
export class MaintenanceTimer {
  readonly #engine: Engine
  readonly #onDue: () => void
  readonly #timer: NodeJS.Timeout
  #work: Promise<void>
  #stopped = false

  /** @param onDue called when rows were made due; the statements themselves trigger no poll */
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
      await this.#adoptDispatched()
    } catch (error) {
      this.#engine.logger.error(errorFields(error), 'maintenance failed; retrying at the next interval')
    }
  }

  /** Each row found gets a due time, so that the poller claims it like any other. */
  async #adoptDispatched(): Promise<void> {
    let more = true
    while (more && !this.#stopped) {
      const swept = await sweepPendingEvents(this.#engine.db, { due: false, firstSends: 'all' })
      await releaseEvents(this.#engine.db, swept.events)
      if (swept.events.length > 0) {
        this.#engine.logger.info({ rows: swept.events.length }, 'adopted orphaned rows dispatched to another queue')
        this.#onDue()
      }
      more = swept.more
    }
  }
}
