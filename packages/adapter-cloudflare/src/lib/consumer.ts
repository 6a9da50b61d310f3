import { type DeliveryOutcome, EngineError, insertQueuedEvent, messageFor } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { type ClaimRef, type ClaimResult, type PendingEvent, beginEvents, claimEvents } from '@keepsend/outbox'
import type { QueueBatch, QueueMessage } from './bindings.ts'
import { dispatch } from './dispatch.ts'
import { type NamedMessage, sortMessages } from './message.ts'
import type { DelayedEvent } from './producer.ts'
import type { QueuePolicy } from './queue-policy.ts'
import { lineUpExcess } from './line-up-excess.ts'
import { TopUps, lanesOf } from './top-up.ts'
import { type Result, deliverBatch } from './deliver-batch.ts'
import type { Item } from './fair-queue.ts'

/** A row with the message that named it. */
interface CarriedItem extends Item {
  message: QueueMessage
}

// After this the sweep may have dispatched a row to another worker.
const FRESH_MS = 1000

/** While D1 does not answer, messages are retried after this. The sweep finds their rows as well. */
const D1_BACKOFF_SECONDS = 30

/**
 * Consumes one batch. The states of a message:
 *
 * ```text
 *   message ──► stale: row settled, claimed or rescheduled ──────────────► ack, nothing sent
 *      │
 *      ├──► current: gen matches ─────────────┐
 *      │       └─ queue is behind: released to its lane, gen + 1 ─────────► ack, nothing sent
 *      └──► redelivered, or swept meanwhile:  │
 *           claimed, counts an attempt ───────┴──► attempt ──► settle ──► ack
 *                                                                ├─ retry: gen + 1, a new delayed message, ack
 *                                                                └─ rows wait in its workspace's lanes: dispatches some
 *   D1 does not answer: retried later
 * ```
 *
 * Never rejects and leaves nothing running: a rejection would return the whole batch, including acknowledged messages.
 */
export async function consumeBatch(policy: QueuePolicy, batch: QueueBatch): Promise<void> {
  const { engine, maxBatchSize } = policy
  const { logger } = engine
  if (batch.messages.length > maxBatchSize) {
    logger.warn(
      { messages: batch.messages.length, maxBatchSize },
      'the batch is larger than maxBatchSize: set maxBatchSize to the max_batch_size of wrangler.jsonc',
    )
  }
  const { named, events } = sortMessages(batch.messages, logger)
  for (const { message, event } of events) await insertEvent(policy, message, event)
  try {
    const waitedMs = waitedBehindOthers(policy, named)
    const topUps = new TopUps({ waitedMs, leaseMs: policy.leaseMs })
    const { carried, workspacesInLine } = await begin(policy, named)
    const lastServed = new Map(carried.map(({ row }) => [row.workspaceId, row.endpointId]))
    topUps.add(await lanesOf(engine.db, workspacesInLine, lastServed))
    const { left, results, claimed } = await lineUpExcess(policy, carried, { topUps, waitedMs })
    await dispatchSwept(policy, claimed)
    for (const { finished, settle } of results) acknowledge(finished.item.message, settle)
    await deliverBatch(engine, left, callbacksOf(policy), {
      toSettle: (outcome) => withGrace(policy, outcome),
      endAt: Infinity,
      freshMs: FRESH_MS,
      claim: (group) => topUps.claimFor(group),
    })
  } catch (error) {
    // Only errors of reading and claiming. Messages acknowledged before stay so: the first `ack` or `retry` counts.
    logger.error(
      { ...errorFields(error), messages: named.length },
      'failed to start a batch; its messages will come back',
    )
    for (const { message } of named) retryLater(message)
  }
}

/** Inserts the rows of an event that travelled in a message, and sends their messages. */
export async function insertEvent(
  { engine, queue }: Pick<QueuePolicy, 'engine' | 'queue'>,
  message: QueueMessage,
  event: Parameters<typeof insertQueuedEvent>[1],
): Promise<void> {
  const fields = { eventId: event.eventId, type: event.type }
  const { rowsStart, messagesPerPublish } = queue
  try {
    const { db, maxAgeMs, limits, recordsEvents, searchPaths, logger } = engine
    const { deliveriesPerPublish } = limits
    const messages = await insertQueuedEvent(
      { db, rowsStart, messagesPerPublish, maxAgeMs, deliveriesPerPublish, recordsEvents, searchPaths, logger },
      event,
    )
    const { failed } = await queue.sendDelayed(messages.map((one) => ({ message: one, delaySeconds: 0 })))
    for (const { error } of failed) engine.logger.warn({ ...fields, ...errorFields(error) }, SWEPT_LATER)
    message.ack()
  } catch (error) {
    // A retry cannot help, and the platform would retry it a hundred times.
    if (error instanceof EngineError && NEVER_INSERTED.has(error.code)) {
      engine.logger.error({ ...fields, ...errorFields(error) }, 'dropped a message: its event cannot be stored')
      message.ack()
      return
    }
    engine.logger.error(
      { ...fields, ...errorFields(error) },
      'failed to insert the rows of an event; its message will come back',
    )
    retryLater(message)
  }
}

const NEVER_INSERTED: ReadonlySet<string> = new Set(['invalid_event', 'payload_too_large', 'too_many_deliveries'])

const SWEPT_LATER = 'the queue refused messages; the sweep will dispatch their rows again'

/**
 * How long the messages of a batch waited behind others, in ms: the shortest wait, because the others may have waited for
 * their batch to fill. If the batch is not full, the shortest wait may include that too, so the batch time-out is subtracted.
 */
function waitedBehindOthers(
  { maxBatchSize, maxBatchTimeoutSeconds }: QueuePolicy,
  named: readonly NamedMessage[],
): number {
  const now = Date.now()
  const waits = named.flatMap(({ message: { attempts, timestamp }, delayMs }) =>
    timestamp && attempts === 1 ? [now - timestamp.getTime() - delayMs] : [],
  )
  const forTheBatchMs = named.length < maxBatchSize ? maxBatchTimeoutSeconds * 1000 : 0
  return waits.length === 0 ? 0 : Math.max(0, Math.min(...waits) - forTheBatchMs)
}

/**
 * Reads the rows of a batch and claims those that were delivered before: one read, and one claim if needed. Returns the rows
 * to send, and the workspaces with rows waiting in lanes.
 */
async function begin(
  { engine, leaseMs }: QueuePolicy,
  named: readonly NamedMessage[],
): Promise<{ carried: CarriedItem[]; workspacesInLine: string[] }> {
  const byId = new Map(named.map((one) => [one.ref.id, one.message]))
  const { current, swept, stale, workspacesInLine } = await beginEvents(
    engine.db,
    named.map(({ ref }) => ref),
  )
  const readAt = performance.now()
  for (const id of stale) byId.get(id)?.ack()
  const again = (row: PendingEvent): boolean => (byId.get(row.id)?.attempts ?? 1) > 1
  const toClaim: ClaimRef[] = [...current.filter(again), ...swept]
  const { claims, exhausted } = await claimEvents(engine.db, toClaim, { leaseMs })
  engine.worker.noteClaim({ claims, exhausted })
  const rows = [...current.filter((row) => !again(row)), ...claims]
  const mine = new Set(rows.map(({ id }) => id))
  // Exhausted, or claimed by another worker between the read and the claim.
  for (const { id } of toClaim) if (!mine.has(id)) byId.get(id)?.ack()
  const carried = rows.flatMap((row) => {
    const message = byId.get(row.id)
    return message ? [{ row, readAt, message }] : []
  })
  return { carried, workspacesInLine }
}

/** The delay of a retry's message, in ms; undefined if it gets none, because the sweep handles retries beyond the horizon. */
function messageDelayMs({ horizonMs }: QueuePolicy, outcome: DeliveryOutcome): number | undefined {
  return outcome.kind === 'reschedule' && outcome.delayMs <= horizonMs ? outcome.delayMs : undefined
}

/** Makes a retry with a message due later by the grace, so that the sweep takes it only if the message is late. */
function withGrace(policy: QueuePolicy, outcome: DeliveryOutcome): DeliveryOutcome {
  const delayMs = messageDelayMs(policy, outcome)
  return delayMs === undefined || outcome.kind !== 'reschedule'
    ? outcome
    : { ...outcome, delayMs: delayMs + policy.graceMs }
}

function callbacksOf(policy: QueuePolicy): Parameters<typeof deliverBatch<CarriedItem>>[2] {
  return {
    onEnded: async (results, claimed) => {
      const { failed } = await policy.queue.sendDelayed(results.flatMap((result) => nextMessage(policy, result)))
      for (const { messages, error } of failed) {
        policy.engine.logger.warn({ messages: messages.length, ...errorFields(error) }, SWEPT_LATER)
      }
      await dispatchSwept(policy, claimed)
      for (const { item, settle } of results) acknowledge(item.message, settle)
    },
    onStale: ({ message }) => message.ack(),
    onUnsent: ({ message }) => retryLater(message),
  }
}

/** Sends the messages of rows that a settle claimed from their lanes. */
async function dispatchSwept(policy: QueuePolicy, { swept = [], exhausted }: ClaimResult): Promise<void> {
  const { logger, worker } = policy.engine
  worker.noteClaim({ exhausted })
  const { errors } = await dispatch(policy, swept)
  for (const error of errors) logger.warn({ messages: swept.length, ...errorFields(error) }, SWEPT_LATER)
}

function acknowledge(message: QueueMessage, settle: Result<CarriedItem>['settle']): void {
  if (settle === 'settled' || settle === 'lost') message.ack()
  else retryLater(message)
}

/** The message for the next attempt. A new one, because a retried message cannot carry the new `gen`. */
function nextMessage(policy: QueuePolicy, { item: { row }, outcome, settle }: Result<CarriedItem>): DelayedEvent[] {
  const delayMs = settle === 'settled' ? messageDelayMs(policy, outcome) : undefined
  if (delayMs === undefined) return []
  return [{ message: messageFor({ ...row, gen: row.gen + 1 }), delaySeconds: Math.ceil(delayMs / 1000) }]
}

export function retryLater(message: QueueMessage): void {
  message.retry({ delaySeconds: D1_BACKOFF_SECONDS })
}
