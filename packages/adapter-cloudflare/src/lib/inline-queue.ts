import { type Engine, type EventQueue, type QueuedEvent, insertQueuedEvent, logExhausted } from '@keepsend/engine'
import type { PublishTarget } from '@keepsend/engine/internal'
import {
  type ClaimRef,
  type TakenEvent,
  beginEvents,
  claimDueEvents,
  releaseEvents,
  sweepPendingEvents,
} from '@keepsend/outbox'
import type { OptionNames } from '@keepsend/outbox/internal'
import { CloudflareAdapterError, checkBounds, checkCanDeliver, checkNames } from './errors.ts'
import { type SweepReport, tick } from './scheduled.ts'
import { deliverAll } from './deliver-batch.ts'
import type { Item } from './fair-queue.ts'

// After the response the platform lets `waitUntil` run for 30 s and then ends it, whatever it does.
const AFTER_RESPONSE_MS = 28_000
// Less than the minute after which the next cron begins.
const TICK_MS = 50_000
const LEASE_MS = 120_000
const FIRST_SENDS = 1000
// Endpoints whose held rows one tick lets out: a few statements each.
const ENDPOINTS = 10

export interface InlineEventQueueOptions {
  /**
   * Deliveries that one request or one tick of the cron makes at most: 1–1,000. The rest is the next tick's. The free
   * plan allows an invocation 50 requests, those to D1 among them; each delivery is one, and what stands around twenty
   * of them comes to about as many again. @default 20
   */
  deliveriesAtMost?: number | undefined
}

export const INLINE_QUEUE_OPTIONS = { deliveriesAtMost: 'number' } satisfies OptionNames<InlineEventQueueOptions>

/**
 * No queue at all, for the free plan: rows are delivered after the response, within `waitUntil`, and what fails or is
 * cut off is delivered by the cron. The promises are the same; a retry comes with the minute, not with the second.
 */
export class InlineEventQueue implements EventQueue {
  readonly rowsStart = 'dispatched'
  readonly #deliveriesAtMost: number
  #engine: Engine | undefined

  constructor(options: InlineEventQueueOptions = {}) {
    checkNames('InlineEventQueue', INLINE_QUEUE_OPTIONS, options)
    const { deliveriesAtMost = 20 } = options
    checkBounds('deliveriesAtMost', deliveriesAtMost, 1, 1000)
    this.#deliveriesAtMost = deliveriesAtMost
  }

  /**
   * Gives it the engine that delivers.
   *
   * @throws {CloudflareAdapterError} `invalid_option` when the engine has no sender, or an attempt could outlast what the platform
   * allows after a response
   */
  start(engine: Engine): void {
    checkCanDeliver(engine)
    if (engine.worker.maxDeadlineMs > AFTER_RESPONSE_MS / 2) {
      throw new CloudflareAdapterError(
        'invalid_option',
        `without a queue an attempt must end within the 30 s that follow a response: the engine's maxDeadlineMs must be at most ${AFTER_RESPONSE_MS / 2}; found ${engine.worker.maxDeadlineMs}`,
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
    if (!engine) throw new CloudflareAdapterError('invalid_option', 'start(engine) before the first event is sent')
    const endAt = performance.now() + AFTER_RESPONSE_MS - engine.worker.maxDeadlineMs
    const { db, maxAgeMs, limits } = engine
    const { deliveriesPerPublish } = limits
    const target: PublishTarget = { db, rowsStart: this.rowsStart, maxAgeMs, deliveriesPerPublish }
    // By row: of two copies of a message one is enough.
    const refs = new Map<string, ClaimRef>()
    for (const message of messages) {
      const rows = message.outboxId === undefined ? await insertQueuedEvent(target, message) : [message]
      for (const { outboxId = '', gen = 0 } of rows) refs.set(outboxId, { id: outboxId, gen })
    }
    const { current } = await beginEvents(db, [...refs.values()])
    await deliverInline(engine, current.slice(0, this.#deliveriesAtMost), endAt)
    await releaseEvents(db, current.slice(this.#deliveriesAtMost))
  }

  /**
   * One tick of the cron: makes lost first sends due, and delivers what is due, each row claimed and charged first,
   * for 50 s at most.
   *
   * @throws {AggregateError} when anything failed, after everything was tried
   */
  async sweep(): Promise<SweepReport> {
    const engine = this.#engine
    if (!engine) throw new CloudflareAdapterError('invalid_option', 'start(engine) before the first sweep')
    const endAt = performance.now() + TICK_MS - engine.worker.maxDeadlineMs
    return tick(engine, async () => {
      const options = { limit: FIRST_SENDS, leaseMs: LEASE_MS, due: false, firstSends: 'all' } as const
      await releaseEvents(engine.db, (await sweepPendingEvents(engine.db, options)).events)
      const { resumed } = await engine.worker.resumeHeld({
        limit: ENDPOINTS,
        batch: this.#deliveriesAtMost,
        everyMs: 60_000,
      })
      const { claims, exhausted } = await claimDueEvents(engine.db, {
        limit: this.#deliveriesAtMost,
        leaseMs: LEASE_MS,
      })
      logExhausted(engine.logger, exhausted)
      await deliverInline(engine, claims, endAt)
      return { resumed: resumed.length, redispatched: claims.length, released: 0, exhausted: exhausted.length }
    })
  }
}

/** What is not sent in time is given back, so that the next tick does not take it for the row of a worker that died. */
async function deliverInline(engine: Engine, rows: readonly TakenEvent[], endAt: number): Promise<void> {
  const readAt = performance.now()
  const unsent: TakenEvent[] = []
  await deliverAll<Item>(
    engine,
    rows.map((row) => ({ row, readAt })),
    { ended: async () => {}, gone: () => {}, unsent: ({ row }) => void unsent.push(row) },
    { toSettle: (outcome) => outcome, endAt },
  )
  await releaseEvents(engine.db, unsent)
}
