import { type Engine, type EventQueue, type QueuedEvent, keepQueuedEvent } from '@keepsend/engine'
import {
  type ClaimRef,
  type PendingEvent,
  beginEvents,
  claimDueEvents,
  releaseEvents,
  sweepPendingEvents,
} from '@keepsend/outbox'
import { AdapterError } from './errors.ts'
import { type Swept, tick } from './scheduled.ts'
import { type Item, deliverAll } from './window.ts'

// After the response the platform lets `waitUntil` run for 30 s and then ends it, whatever it does.
const AFTER_RESPONSE_MS = 28_000
// Less than the minute after which the next cron begins.
const TICK_MS = 50_000
const LEASE_MS = 120_000
const CLAIMED_AT_ONCE = 25
const FIRST_SENDS = 1000

/**
 * No queue at all, for the free plan: rows are delivered after the response, within `waitUntil`, and what fails or is
 * cut off is delivered by the cron. The promises are the same; a retry comes with the minute, not with the second.
 */
export class InlineEventQueue implements EventQueue {
  readonly rowsStart = 'handed-off'
  #engine: Engine | undefined

  /**
   * Gives it the engine that delivers.
   *
   * @throws {AdapterError} `invalid_option` when an attempt could outlast what the platform allows after a response
   */
  start(engine: Engine): void {
    if (engine.maxDeadlineMs > AFTER_RESPONSE_MS / 2) {
      throw new AdapterError(
        'invalid_option',
        `without a queue an attempt must end within the 30 s that follow a response: the engine's maxDeadlineMs must be at most ${AFTER_RESPONSE_MS / 2}; found ${engine.maxDeadlineMs}`,
      )
    }
    this.#engine = engine
  }

  send(message: QueuedEvent): Promise<void> {
    return this.sendBatch([message])
  }

  /** Resolves when what could be delivered in time is; the rest is the cron's. */
  async sendBatch(messages: readonly QueuedEvent[]): Promise<void> {
    const engine = this.#engine
    if (!engine) throw new AdapterError('invalid_option', 'start(engine) before the first event is sent')
    const endAt = performance.now() + AFTER_RESPONSE_MS - engine.maxDeadlineMs
    const { db } = engine
    // By row: of two copies of a message one is enough.
    const refs = new Map<string, ClaimRef>()
    for (const message of messages) {
      const rows =
        message.outboxId === undefined ? await keepQueuedEvent({ db, rowsStart: this.rowsStart }, message) : [message]
      for (const { outboxId = '', gen = 0 } of rows) refs.set(outboxId, { id: outboxId, gen })
    }
    const { begun } = await beginEvents(db, [...refs.values()])
    await deliverInline(engine, begun, endAt)
  }

  /**
   * One tick of the cron: makes lost first sends due, and delivers what is due for up to 50 s, each row claimed and
   * charged first.
   *
   * @throws {AggregateError} when anything failed, after everything was tried
   */
  async sweep(): Promise<Swept> {
    const engine = this.#engine
    if (!engine) throw new AdapterError('invalid_option', 'start(engine) before the first sweep')
    const endAt = performance.now() + TICK_MS - engine.maxDeadlineMs
    return tick(engine, async () => {
      const swept = { handedOn: 0, released: 0, dead: 0 }
      const options = { limit: FIRST_SENDS, leaseMs: LEASE_MS, due: false, firstSends: 'all' } as const
      await releaseEvents(engine.db, (await sweepPendingEvents(engine.db, options)).events)
      while (performance.now() < endAt) {
        const { claims, dead } = await claimDueEvents(engine.db, { limit: CLAIMED_AT_ONCE, leaseMs: LEASE_MS })
        swept.handedOn += claims.length
        swept.dead += dead.length
        await deliverInline(engine, claims, endAt)
        if (claims.length + dead.length < CLAIMED_AT_ONCE) break
      }
      return swept
    })
  }
}

/** What is not sent in time is given back, so that the next tick does not take it for the row of a worker that died. */
async function deliverInline(engine: Engine, rows: readonly PendingEvent[], endAt: number): Promise<void> {
  const readAt = performance.now()
  const unsent: PendingEvent[] = []
  await deliverAll<Item>(
    engine,
    rows.map((row) => ({ row, readAt })),
    { ended: async () => {}, gone: () => {}, unsent: ({ row }) => void unsent.push(row) },
    { toSettle: (outcome) => outcome, endAt },
  )
  await releaseEvents(engine.db, unsent)
}
