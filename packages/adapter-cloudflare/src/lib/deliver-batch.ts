import { FairQueue, type Item } from './fair-queue.ts'
import type { DeliveryOutcome, Engine, SettledDelivery } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { type ClaimOptions, type ClaimResult, type TakenEvent, beginEvent } from '@keepsend/outbox'

/** An attempt that has ended, and what the database made of its settle. */
export interface Result<T extends Item> {
  item: T
  outcome: DeliveryOutcome
  settle: SettledDelivery['settle']
}

/** What a row's bearer hears of it. Each row is heard of once, in one of the three. */
export interface BatchCallbacks<T extends Item> {
  /** A group's attempts have ended; and what the claim of the same commit took. */
  ended(results: readonly Result<T>[], claimed: ClaimResult): Promise<void>
  /** The row was settled or taken by another while it waited; nothing was sent. */
  gone(item: T): void
  /** There was no time left to begin, or the database could not say whether the row still stands; nothing was sent. */
  unsent(item: T): void
}

export interface WindowOptions<T extends Item> {
  /** What is written for an outcome: a retry that a message makes is due later than one that the sweep makes. */
  toSettle: (outcome: DeliveryOutcome) => DeliveryOutcome
  /** On the monotonic clock: no attempt begins after this. */
  endAt: number
  /** What is claimed in the commit of a group that has ended. */
  claim?: ((group: readonly Ended<T>[]) => ClaimOptions | undefined) | undefined
}

/** An attempt that has ended and is to be settled. */
export interface Ended<T extends Item> {
  item: T
  claim: TakenEvent
  /** What is written. */
  outcome: DeliveryOutcome
  /** What the attempt came to. */
  attempted: DeliveryOutcome
}

// The platform lets six connections wait for their headers, D1's among them. A seventh would wait with its deadline
// running, and fail through no fault of its receiver.
export const MAX_CONCURRENT = 5

// What waited longer is looked at again before it is sent: the sweep may have given it to another.
const FRESH_MS = 1000

/**
 * Delivers rows, five at a time, each from its slot on: the deadline of an attempt begins when there is a slot for it.
 * Outcomes are settled in groups of five and at the end, so that a crash repeats few. Never rejects.
 */
export async function deliverAll<T extends Item>(
  engine: Engine,
  items: readonly T[],
  hears: BatchCallbacks<T>,
  { toSettle, endAt, claim }: WindowOptions<T>,
): Promise<void> {
  const queue = new FairQueue(items)
  const ended: Ended<T>[] = []

  async function slot(): Promise<void> {
    for (let item = queue.next(); item; item = queue.next()) {
      const may = performance.now() >= endAt ? 'unsent' : await stillStands(engine, item)
      if (may !== 'send') {
        queue.done(item)
        hears[may](item)
        continue
      }
      const outcome = await deliverInTurn(engine, queue, item)
      if (outcome === 'later') continue
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
        'failed to record outcomes; the deliveries will be repeated',
      )
    }
    await hears.ended(
      results.map(({ finished, settle }) => ({ item: finished.item, outcome: finished.attempted, settle })),
      claimed,
    )
  }

  await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT, items.length) }, slot))
  await settleEnded()
}

/**
 * One attempt. Only a second one at once to the same endpoint asks what that endpoint allows: most batches need not know,
 * and by then it has been read.
 */
async function deliverInTurn<T extends Item>(
  engine: Engine,
  queue: FairQueue<T>,
  item: T,
): Promise<DeliveryOutcome | 'later'> {
  const { row } = item
  if (queue.underWay(item) === 1) return engine.worker.deliver(row, Date.now())
  const { concurrency, refused, waitMs } = await engine.worker.admit([row])
  if (!queue.mayGo(item, concurrency.get(row.endpointId ?? '') ?? Infinity)) return 'later'
  const resumeInMs = refused.get(row.id)
  if (resumeInMs !== undefined) return { kind: 'hold', reason: 'rate_limited', resumeInMs }
  const wait = waitMs.get(row.id)
  if (wait) await new Promise((resolve) => setTimeout(resolve, wait))
  return engine.worker.deliver(row, Date.now(), { admitted: wait !== undefined })
}

async function stillStands(engine: Engine, { row, readAt }: Item): Promise<'send' | 'gone' | 'unsent'> {
  if (performance.now() - readAt < FRESH_MS) return 'send'
  try {
    return (await beginEvent(engine.db, row)) === 'stale' ? 'gone' : 'send'
  } catch (error) {
    engine.logger.warn({ deliveryId: row.id, ...errorFields(error) }, 'a row could not be read again; nothing was sent')
    return 'unsent'
  }
}
