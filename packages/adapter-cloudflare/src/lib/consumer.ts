import { type DeliveryOutcome, EngineError, insertQueuedEvent, logExhausted, messageFor } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { type ClaimRef, type ClaimResult, type PendingEvent, beginEvents, claimEvents } from '@keepsend/outbox'
import type { QueueBatch, QueueMessage } from './bindings.ts'
import { dispatch } from './dispatch.ts'
import { type NamedMessage, sortMessages } from './message.ts'
import type { DelayedEvent } from './producer.ts'
import type { QueuePolicy } from './queue-policy.ts'
import { lineUpExcess } from './line-up-excess.ts'
import { TopUps, lanesOf } from './top-up.ts'
import { type Result, deliverAll } from './deliver-batch.ts'
import type { Item } from './fair-queue.ts'

/** A row with the message that named it. */
interface Carried extends Item {
  message: QueueMessage
}

/** While D1 does not answer, messages come back after this, and the row waits in the sweep's sight as well. */
const D1_BACKOFF_SECONDS = 30

/**
 * Works one batch. The life of a message here:
 *
 * ```text
 *   message ──► row settled, taken or put off ──────────────────────────► ack, unsent
 *      │
 *      ├──► row stands as the message says ──┐
 *      │       └─ the queue is behind: in line, gen + 1 ──────────────────► ack, unsent
 *      └──► second delivery, or overtaken by │
 *           the sweep: claim, charged ───────┴──► attempt ──► settle ──► ack
 *                                                                ├─ retry: gen + 1, a new delayed message, ack
 *                                                                └─ its workspace has a line: the next of it, a message each
 *   D1 does not answer: the message comes back later
 * ```
 *
 * Never rejects and leaves nothing running: a rejection would bring the whole batch back, with what was acknowledged.
 */
export async function consumeBatch(policy: QueuePolicy, batch: QueueBatch): Promise<void> {
  const { engine, maxBatchSize } = policy
  const { logger } = engine
  if (batch.messages.length > maxBatchSize) {
    logger.warn(
      { messages: batch.messages.length, maxBatchSize },
      'a batch is larger than the policy knows: max_batch_size in wrangler.jsonc and maxBatchSize must be the same',
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
    await deliverAll(engine, left, hearing(policy), {
      toSettle: (outcome) => withGrace(policy, outcome),
      endAt: Infinity,
      claim: (group) => topUps.claimFor(group),
    })
  } catch (error) {
    // Only reading and claiming end here. What was acknowledged before stays so: the first word on a message counts.
    logger.error({ ...errorFields(error), messages: named.length }, 'a batch could not be begun; it will come back')
    for (const { message } of named) retryLater(message)
  }
}

/** An event whose rows could not be inserted at first: makes them, and sends their messages on their way. */
export async function insertEvent(
  { engine, queue }: Pick<QueuePolicy, 'engine' | 'queue'>,
  message: QueueMessage,
  event: Parameters<typeof insertQueuedEvent>[1],
): Promise<void> {
  const fields = { eventId: event.eventId, type: event.type }
  const { rowsStart, dispatchAtOnce } = queue
  try {
    const { db, maxAgeMs, limits } = engine
    const { deliveriesPerPublish } = limits
    const messages = await insertQueuedEvent({ db, rowsStart, dispatchAtOnce, maxAgeMs, deliveriesPerPublish }, event)
    const { failed } = await queue.sendDelayed(messages.map((one) => ({ message: one, delaySeconds: 0 })))
    for (const { error } of failed) engine.logger.warn({ ...fields, ...errorFields(error) }, SWEPT_LATER)
    message.ack()
  } catch (error) {
    // No repeat makes an event of it, and the platform would repeat it a hundred times.
    if (error instanceof EngineError && NEVER_KEPT.has(error.code)) {
      engine.logger.error(
        { ...fields, ...errorFields(error) },
        'a message holds no event that can be kept; it is dropped',
      )
      message.ack()
      return
    }
    engine.logger.error({ ...fields, ...errorFields(error) }, 'the rows of an event could not be inserted yet')
    retryLater(message)
  }
}

const NEVER_KEPT: ReadonlySet<string> = new Set(['invalid_event', 'payload_too_large', 'too_many_deliveries'])

const SWEPT_LATER = 'the queue refused a hand-off; the rows are kept and will be swept'

/**
 * How long the messages of a batch waited behind others, in ms, by the one that waited least: the others may have waited
 * for their batch to fill. Where it is not full, so may this one.
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
 * What of the batch may be sent, and which of its workspaces have a line: one read, and one claim if anything was
 * delivered to us before.
 */
async function begin(
  { engine, leaseMs }: QueuePolicy,
  named: readonly NamedMessage[],
): Promise<{ carried: Carried[]; workspacesInLine: string[] }> {
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
  logExhausted(engine.logger, exhausted)
  const rows = [...current.filter((row) => !again(row)), ...claims]
  const mine = new Set(rows.map(({ id }) => id))
  // Marked failed just now, or taken by another between the read and the claim.
  for (const { id } of toClaim) if (!mine.has(id)) byId.get(id)?.ack()
  const carried = rows.flatMap((row) => {
    const message = byId.get(row.id)
    return message ? [{ row, readAt, message }] : []
  })
  return { carried, workspacesInLine }
}

/** How long the message of a retry waits; undefined where no message makes one: beyond the horizon it is the sweep's. */
function messageDelayMs({ horizonMs }: QueuePolicy, outcome: DeliveryOutcome): number | undefined {
  return outcome.kind === 'reschedule' && outcome.delayMs <= horizonMs ? outcome.delayMs : undefined
}

/** A retry that a message makes is due only when that message is late. */
function withGrace(policy: QueuePolicy, outcome: DeliveryOutcome): DeliveryOutcome {
  const delayMs = messageDelayMs(policy, outcome)
  return delayMs === undefined || outcome.kind !== 'reschedule'
    ? outcome
    : { ...outcome, delayMs: delayMs + policy.graceMs }
}

function hearing(policy: QueuePolicy): Parameters<typeof deliverAll<Carried>>[2] {
  return {
    ended: async (results, claimed) => {
      const { failed } = await policy.queue.sendDelayed(results.flatMap((result) => nextMessage(policy, result)))
      for (const { messages, error } of failed) {
        policy.engine.logger.warn({ messages: messages.length, ...errorFields(error) }, SWEPT_LATER)
      }
      await dispatchSwept(policy, claimed)
      for (const { item, settle } of results) acknowledge(item.message, settle)
    },
    gone: ({ message }) => message.ack(),
    unsent: ({ message }) => retryLater(message),
  }
}

/** The messages of rows that a settle took from a line. */
async function dispatchSwept(policy: QueuePolicy, { swept = [], exhausted }: ClaimResult): Promise<void> {
  const { logger } = policy.engine
  logExhausted(logger, exhausted)
  const { errors } = await dispatch(policy, swept)
  for (const error of errors) logger.warn({ messages: swept.length, ...errorFields(error) }, SWEPT_LATER)
}

function acknowledge(message: QueueMessage, settle: Result<Carried>['settle']): void {
  if (settle === 'settled' || settle === 'lost') message.ack()
  else retryLater(message)
}

/** The message for the next attempt: a new one, because a message that is retried cannot carry the new `gen`. */
function nextMessage(policy: QueuePolicy, { item: { row }, outcome, settle }: Result<Carried>): DelayedEvent[] {
  const delayMs = settle === 'settled' ? messageDelayMs(policy, outcome) : undefined
  if (delayMs === undefined) return []
  return [{ message: messageFor({ ...row, gen: row.gen + 1 }), delaySeconds: Math.ceil(delayMs / 1000) }]
}

export function retryLater(message: QueueMessage): void {
  message.retry({ delaySeconds: D1_BACKOFF_SECONDS })
}
