import { type Engine, type EventQueue, type QueuedEvent, insertQueuedEvent } from '@keepsend/engine'
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
import { deliverBatch } from './deliver-batch.ts'
import type { Item } from './fair-queue.ts'

// After the response the platform ends `waitUntil` after 30 s.
const AFTER_RESPONSE_MS = 28_000
// Less than the minute after which the next cron begins.
const TICK_MS = 50_000
const LEASE_MS = 120_000
const FIRST_SENDS = 1000
// Endpoints whose held rows one tick resumes: a few statements each.
const ENDPOINTS = 10
// Pages of an erasure in one tick, of two requests to D1 each.
const ERASED_PAGES = 5

export interface InlineEventQueueOptions {
  /**
   * Maximum deliveries of one request or one tick of the cron: 1–1,000. The next tick makes the others. The free plan allows an
   * invocation 50 requests, including those to D1: one for each delivery, and about twenty-five more around twenty deliveries.
   * Deliveries to many endpoints, slow receivers and held rows add some: use less where there are many.
   * @default 20
   */
  deliveriesPerInvocation?: number | undefined
}

export const INLINE_QUEUE_OPTIONS = { deliveriesPerInvocation: 'number' } satisfies OptionNames<InlineEventQueueOptions>

/**
 * Delivers without a queue, for the free plan: rows are sent after the response, within `waitUntil`, and the cron delivers
 * those that fail or are cut off. The guarantees are the same; retries come with the minute, not with the second.
 */
export class InlineEventQueue implements EventQueue {
  readonly rowsStart = 'dispatched'
  readonly #deliveriesPerInvocation: number
  #engine: Engine | undefined

  constructor(options: InlineEventQueueOptions = {}) {
    checkNames('InlineEventQueue', INLINE_QUEUE_OPTIONS, options)
    const { deliveriesPerInvocation = 20 } = options
    checkBounds('deliveriesPerInvocation', deliveriesPerInvocation, 1, 1000)
    this.#deliveriesPerInvocation = deliveriesPerInvocation
  }

  /**
   * Sets the engine that delivers. Call it before the first event.
   *
   * @throws {CloudflareAdapterError} `invalid_option` when the engine has no sender, or an attempt could take longer than the
   * platform allows after a response
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

  /** Resolves when the deliveries that fit into the time have ended; the cron makes the others. */
  async sendBatch(messages: readonly QueuedEvent[]): Promise<void> {
    const engine = this.#engine
    if (!engine) throw new CloudflareAdapterError('invalid_option', 'start(engine) before the first event is sent')
    const endAt = performance.now() + AFTER_RESPONSE_MS - engine.worker.maxDeadlineMs
    const { db, maxAgeMs, limits, recordsEvents, searchPaths, logger } = engine
    const { deliveriesPerPublish } = limits
    const target: PublishTarget = {
      db,
      rowsStart: this.rowsStart,
      maxAgeMs,
      deliveriesPerPublish,
      recordsEvents,
      searchPaths,
      logger,
    }
    // By row, because one copy of a message is enough.
    const refs = new Map<string, ClaimRef>()
    for (const message of messages) {
      const rows = message.outboxId === undefined ? await insertQueuedEvent(target, message) : [message]
      for (const { outboxId = '', gen = 0 } of rows) refs.set(outboxId, { id: outboxId, gen })
    }
    const { current } = await beginEvents(db, [...refs.values()])
    await deliverInline(engine, current.slice(0, this.#deliveriesPerInvocation), endAt)
    await releaseEvents(db, current.slice(this.#deliveriesPerInvocation))
  }

  /**
   * One tick of the cron: makes orphaned first deliveries due, resumes held rows, and delivers due rows, each claimed first, for
   * 50 s at most.
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
      // Each in every second minute: both would be one request too many for the free plan.
      if (Math.floor(Date.now() / 60_000) % 2 === 0) await engine.worker.stepErasures({ limit: 1, pages: ERASED_PAGES })
      else
        await engine.worker.stepReplays({
          limit: 1,
          batch: Math.max(2, this.#deliveriesPerInvocation),
          everyMs: 60_000,
        })
      const { resumed } = await engine.worker.resumeHeld({
        limit: ENDPOINTS,
        batch: this.#deliveriesPerInvocation,
        everyMs: 60_000,
      })
      const { claims, exhausted } = await claimDueEvents(engine.db, {
        limit: this.#deliveriesPerInvocation,
        leaseMs: LEASE_MS,
      })
      engine.worker.noteClaim({ claims, exhausted })
      await deliverInline(engine, claims, endAt)
      return { resumed: resumed.length, redispatched: claims.length, released: 0, exhausted: exhausted.length }
    })
  }
}

/** Releases rows that are not sent in time, so that the next tick does not count them as crashed. */
async function deliverInline(engine: Engine, rows: readonly TakenEvent[], endAt: number): Promise<void> {
  const readAt = performance.now()
  const unsent: TakenEvent[] = []
  await deliverBatch<Item>(
    engine,
    rows.map((row) => ({ row, readAt })),
    { onEnded: async () => {}, onStale: () => {}, onUnsent: ({ row }) => void unsent.push(row) },
    // Both leases, of a first delivery and of a claim, outlast the invocation: a request to D1 for each row would be spent on
    // what cannot have happened.
    { toSettle: (outcome) => outcome, endAt, freshMs: Infinity },
  )
  await releaseEvents(engine.db, unsent)
}
