import { type ClaimRef, type OutboxDatabase, type PendingEvent, releaseEvents } from '@keepsend/outbox'
import {
  type OptionNames,
  clock,
  endpointIdOf,
  eventRange,
  isEventId,
  pendingEvents,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import type { EventQueue, QueuedEvent } from './event-queue.ts'
import { type EventVersions, type PreparedEvent, type WebhookEvent, prepareEvent } from './event.ts'
import { carriedSchedule, readCarried } from './event-times.ts'
import { inTime } from '../in-time.ts'
import { type Logger, errorFields } from '../logger.ts'
import type { PublishTarget } from './fan-out.ts'
import { fanOut, messageFor, messagesFor } from './publish.ts'

/** Counts of failed dispatches. Each was logged; rows that exist stay, and polling or the sweep picks them up. */
export interface EngineCounters {
  /** Dispatches that the queue rejected. */
  queueErrors: number
  /** Events of `publish` whose rows could not be inserted: they were sent to the queue without an `outboxId`. */
  degraded: number
  /** Degraded events that the queue rejected as well. These are lost: alert on this number. */
  notAccepted: number
}

export function newCounters(): EngineCounters {
  return { queueErrors: 0, degraded: 0, notAccepted: 0 }
}

/** How a caller continues without waiting for the queue. */
export interface BackgroundOption {
  /** Receives the promise of the dispatch: `ctx.waitUntil` on Workers. @default the dispatch runs on by itself */
  background?: ((work: Promise<void>) => void) | undefined
}

export const BACKGROUND_OPTIONS = { background: 'function' } satisfies OptionNames<BackgroundOption>

/** Lets the work run on; `background` keeps a platform from ending it with the response. */
export function inBackground(work: Promise<void>, background: BackgroundOption['background']): void {
  background?.(work)
}

// Longer than a queue that delivers inline takes: a queue that never answers must not block its caller forever.
const QUEUE_TIMEOUT_MS = 60_000

// Rows that one statement releases into their lanes.
const RELEASE_BATCH = 1000

/**
 * Dispatches committed rows to the queue, of each workspace at most `queue.messagesPerPublish`. Never rejects: a queue that
 * throws, synchronously or later, or never answers, delays deliveries and loses none.
 */
export async function dispatchRows(
  queue: EventQueue,
  messages: readonly QueuedEvent[],
  report: { db: OutboxDatabase; counters: EngineCounters; logger: Logger },
): Promise<void> {
  if (messages.length === 0) return
  const { dispatched, excess } = splitByWorkspace(messages, queue.messagesPerPublish)
  try {
    // Before the first message is sent: the settle of that one dispatches the rows that wait in the lane.
    for (let from = 0; from < excess.length; from += RELEASE_BATCH) {
      await releaseEvents(report.db, excess.slice(from, from + RELEASE_BATCH))
    }
  } catch (error) {
    report.logger.warn(
      { messages: excess.length, ...errorFields(error) },
      'failed to release rows into their lanes; the sweep will pick them up',
    )
  }
  try {
    await inTime(sendAll(queue, dispatched), QUEUE_TIMEOUT_MS, 'the queue')
  } catch (error) {
    report.counters.queueErrors++
    report.logger.warn(
      { messages: messages.length, ...errorFields(error) },
      'dispatch to the queue failed; the rows are committed and the sweep will pick them up',
    )
  }
}

async function sendAll(queue: EventQueue, messages: QueuedEvent[]): Promise<void> {
  if (queue.sendBatch) await queue.sendBatch(messages)
  else for (const message of messages) await queue.send(message)
}

/** The first `limit` messages of each workspace are dispatched; the rows of the others are to be released. */
function splitByWorkspace(
  messages: readonly QueuedEvent[],
  limit = Infinity,
): { dispatched: QueuedEvent[]; excess: ClaimRef[] } {
  const counts = new Map<string, number>()
  const dispatched: QueuedEvent[] = []
  const excess: ClaimRef[] = []
  for (const message of messages) {
    const { workspaceId, outboxId, gen } = message
    const count = counts.get(workspaceId) ?? 0
    counts.set(workspaceId, count + 1)
    if (count < limit || outboxId === undefined || gen === undefined) dispatched.push(message)
    else excess.push({ id: outboxId, gen })
  }
  return { dispatched, excess }
}

/**
 * Sends the event itself where its rows could not be inserted: the consumer runs the fan-out under the same event id, so a
 * repeat inserts no second row.
 */
export async function dispatchWithoutRows(
  queue: EventQueue,
  event: PreparedEvent,
  { counters, logger }: { counters: EngineCounters; logger: Logger },
): Promise<void> {
  const { type, workspaceId, data, id: eventId, channels, timestamp, traceparent, versions } = event
  try {
    const carried = { data, raw: event.raw, channels, timestamp, traceparent, ...carriedSchedule(event, Date.now()) }
    const version = versions && { label: versions.labels[0], oldest: versions.oldest }
    const message = { type, workspaceId, eventId, ...carried, version }
    await inTime(queue.send(message), QUEUE_TIMEOUT_MS, 'the queue')
  } catch (error) {
    counters.notAccepted++
    logger.error({ eventId, type, ...errorFields(error) }, 'event lost: neither the database nor the queue accepted it')
  }
}

/**
 * The messages of an event's pending rows, for a host that ran the fan-out in its own transaction.
 *
 * @throws {EngineError} `invalid_event` if this is not an event id
 */
export async function messagesOf(
  { db, rowsStart, messagesPerPublish }: PublishTarget,
  eventId: string,
): Promise<QueuedEvent[]> {
  if (!isEventId(eventId))
    throw new EngineError(
      'invalid_event',
      `dispatch expects an event id, evt_ and a lower-case UUIDv7; found ${eventId}`,
    )
  const undispatched = messagesPerPublish === undefined ? raw('') : raw('and ready = 0')
  const isTime = rowsStart === 'now' ? raw('') : sqlText`and (deliver_at is null or deliver_at <= ${clock()})`
  const { rows } = await db.run<Pick<PendingEvent, 'id' | 'gen' | 'workspaceId' | 'type'>>(sqlText`
    select ${pendingEvents.some('pending_events', ['id', 'gen', 'workspaceId', 'type'])}
    from pending_events where ${eventRange(eventId)} and status = 'pending' ${undispatched} ${isTime} order by id`)
  return rows.map((row) => ({ ...messageFor(row), eventId, endpointId: endpointIdOf(row.id) }))
}

/**
 * Inserts the rows of a queue message that has no `outboxId`, under the message's event id, so that a second copy inserts
 * none. Returns the messages of the rows; the message itself is never delivered.
 *
 * @throws {EngineError} `invalid_option` for a message with an `outboxId`, `invalid_event` for an event that is not valid
 */
export async function insertQueuedEvent(target: PublishTarget, message: QueuedEvent): Promise<QueuedEvent[]> {
  if (message.outboxId !== undefined) {
    throw new EngineError(
      'invalid_option',
      `the message has an outboxId, so its row exists: insert only messages without one; found ${message.outboxId}`,
    )
  }
  const { type, workspaceId, eventId: id, channels, timestamp, traceparent } = message
  const data = message.data ?? (message.raw ? undefined : {})
  // Other programs may write to the queue: `prepareEvent` rejects an event with both.
  const given = { type, workspaceId, data, raw: message.raw, id, channels, timestamp, traceparent } as WebhookEvent
  const { version } = message
  // Its worker converts it for endpoints with another label.
  const versions: EventVersions | undefined = version && { oldest: version.oldest, labels: [version.label], copies: [] }
  const event = { ...prepareEvent(given), ...readCarried(message, Date.now()), versions }
  return messagesFor(target, event, await fanOut(target, event))
}
