import { FairQueue, type Item } from './fair-queue.ts'
import type { DeliveryOutcome, Engine, SettledDelivery } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { type ClaimOptions, type ClaimResult, type TakenEvent, beginEvent } from '@keepsend/outbox'

/** An attempt that has ended, and the result of its settle. */
export interface Result<T extends Item> {
  item: T
  outcome: DeliveryOutcome
  settle: SettledDelivery['settle']
}

/** Each row is passed to exactly one of the three. */
export interface BatchCallbacks<T extends Item> {
  /** The attempts of a group have ended, with the rows claimed in the commit of their settle. */
  onEnded(results: readonly Result<T>[], claimed: ClaimResult): Promise<void>
  /** The row was settled or claimed by another worker while it waited; nothing was sent. */
  onStale(item: T): void
  /** No time was left to start, or the database could not be asked whether the row is current; nothing was sent. */
  onUnsent(item: T): void
}

export interface DeliverBatchOptions<T extends Item> {
  /** The outcome to settle: a retry with a message of its own is due later than one that is left to the sweep. */
  toSettle: (outcome: DeliveryOutcome) => DeliveryOutcome
  /** No attempt starts after this, on the monotonic clock. */
  endAt: number
  /**
   * A row that waited longer is read again before it is sent: the sweep may have dispatched it to another worker. Infinity
   * where the lease outlasts the invocation.
   */
  freshMs: number
  /** The rows to claim in the commit that settles a group. */
  claim?: ((group: readonly Ended<T>[]) => ClaimOptions | undefined) | undefined
}

/** An attempt that has ended and is to be settled. */
export interface Ended<T extends Item> {
  item: T
  claim: TakenEvent
  /** The outcome to settle. */
  outcome: DeliveryOutcome
  /** The outcome of the attempt. */
  attempted: DeliveryOutcome
}

// The platform lets six connections wait for their headers, including D1's. A seventh would wait with its deadline running,
// and fail through no fault of its receiver.
export const MAX_CONCURRENT = 5

/**
 * Delivers rows, five concurrently; the deadline of an attempt starts when it gets a slot. Settles outcomes in groups of five
 * and at the end, so that a crash repeats few. Never rejects.
 */
export async function deliverBatch<T extends Item>(
  engine: Engine,
  items: readonly T[],
  callbacks: BatchCallbacks<T>,
  { toSettle, endAt, freshMs, claim }: DeliverBatchOptions<T>,
): Promise<void> {
  const queue = new FairQueue(items)
  const ended: Ended<T>[] = []

  async function slot(): Promise<void> {
    for (let item = queue.next(); item; item = queue.next()) {
      const state = performance.now() >= endAt ? 'unsent' : await recheck(engine, item, freshMs)
      if (state !== 'current') {
        queue.done(item)
        if (state === 'stale') callbacks.onStale(item)
        else callbacks.onUnsent(item)
        continue
      }
      const outcome = await attempt(engine, queue, item)
      if (outcome === 'requeued') continue
      queue.done(item)
      ended.push({ item, claim: item.row, outcome: toSettle(outcome), attempted: outcome })
      if (ended.length >= MAX_CONCURRENT) await settleEnded()
    }
  }

  async function settleEnded(): Promise<void> {
    const group = ended.splice(0)
    if (group.length === 0) return
    const { results, claimed, storageError } = await engine.worker.settleEach(group, { claim: claim?.(group) })
    if (storageError !== undefined) {
      const outcomes = results.filter(({ settle }) => settle === 'unsettled').length
      engine.logger.error(
        { ...errorFields(storageError), outcomes },
        'failed to record outcomes; their deliveries will be repeated',
      )
    }
    await callbacks.onEnded(
      results.map(({ finished, settle }) => ({ item: finished.item, outcome: finished.attempted, settle })),
      claimed,
    )
  }

  await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT, items.length) }, slot))
  await settleEnded()
}

/**
 * Makes one attempt. Only a second concurrent one to an endpoint asks for its limits: most batches need no limits, and by then
 * the endpoint is cached. `requeued`: the endpoint's `concurrency` allows no more now.
 */
async function attempt<T extends Item>(
  engine: Engine,
  queue: FairQueue<T>,
  item: T,
): Promise<DeliveryOutcome | 'requeued'> {
  const { row } = item
  if (queue.inFlight(item) === 1) return engine.worker.deliver(row, Date.now())
  const { concurrency, refused, waitMs } = await engine.worker.admit([row])
  if (!queue.admitWithin(item, concurrency.get(row.endpointId ?? '') ?? Infinity)) return 'requeued'
  const resumeInMs = refused.get(row.id)
  if (resumeInMs !== undefined) return { kind: 'hold', reason: 'rate_limited', resumeInMs }
  const wait = waitMs.get(row.id)
  if (wait) await new Promise((resolve) => setTimeout(resolve, wait))
  return engine.worker.deliver(row, Date.now(), { admitted: wait !== undefined })
}

async function recheck(
  engine: Engine,
  { row, readAt }: Item,
  freshMs: number,
): Promise<'current' | 'stale' | 'unsent'> {
  if (performance.now() - readAt < freshMs) return 'current'
  try {
    return (await beginEvent(engine.db, row)) === 'stale' ? 'stale' : 'current'
  } catch (error) {
    engine.logger.warn(
      { deliveryId: row.id, ...errorFields(error) },
      'failed to read a row again; nothing was sent, and it is retried later',
    )
    return 'unsent'
  }
}
