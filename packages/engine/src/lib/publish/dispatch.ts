import { type ClaimRef, type OutboxDatabase, type PendingEvent, releaseEvents } from '@keepsend/outbox'
import { type OptionNames, endpointIdOf, eventRange, pendingEvents, raw, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import type { EventQueue, QueuedEvent } from './event-queue.ts'
import { type PreparedEvent, type WebhookEvent, prepareEvent } from './event.ts'
import { inTime } from '../in-time.ts'
import { type Logger, errorFields } from '../logger.ts'
import type { PublishTarget } from './fan-out.ts'
import { fanOut, messageFor, messagesFor } from './publish.ts'

/** What the queue did not take. Each was logged too; the rows stay and are picked up by polling or the sweep. */
export interface EngineCounters {
  /** Hand-offs that the queue refused. */
  queueErrors: number
  /** Events of `send` whose rows could not be inserted, handed to the queue without an `outboxId`. */
  degraded: number
  /** Degraded events that the queue refused as well: these are lost, and this is the number to watch. */
  notAccepted: number
}

export function newCounters(): EngineCounters {
  return { queueErrors: 0, degraded: 0, notAccepted: 0 }
}

/** How a caller goes on without waiting for the queue. */
export interface BackgroundOption {
  /** Takes the dispatch to the queue: `ctx.waitUntil` on Workers. @default it runs on by itself */
  background?: ((work: Promise<void>) => void) | undefined
}

export const BACKGROUND_OPTIONS = { background: 'function' } satisfies OptionNames<BackgroundOption>

/** The work runs on by itself; a platform that would end it with the response is asked to wait. */
export function inBackground(work: Promise<void>, background: BackgroundOption['background']): void {
  background?.(work)
}

// Longer than a queue that delivers by itself takes: what waits for one that never answers must end.
const SILENCE_MS = 60_000

// Rows that one statement puts in line.
const RELEASED_AT_ONCE = 1000

/**
 * Tells the queue of durable rows, of a workspace no more than it takes at once. Never rejects: a queue that throws,
 * immediately or later, or never answers, costs time and no delivery.
 */
export async function dispatchRows(
  queue: EventQueue,
  messages: readonly QueuedEvent[],
  report: { db: OutboxDatabase; counters: EngineCounters; logger: Logger },
): Promise<void> {
  if (messages.length === 0) return
  const { dispatched, beyond } = divided(messages, queue.dispatchAtOnce)
  try {
    // In line before the first message is sent: whoever settles that one dispatches what stands there.
    for (let from = 0; from < beyond.length; from += RELEASED_AT_ONCE) {
      await releaseEvents(report.db, beyond.slice(from, from + RELEASED_AT_ONCE))
    }
  } catch (error) {
    report.logger.warn(
      { messages: beyond.length, ...errorFields(error) },
      'rows could not be put in line; they will be swept',
    )
  }
  try {
    await inTime(sendAll(queue, dispatched), SILENCE_MS, 'the queue')
  } catch (error) {
    report.counters.queueErrors++
    report.logger.warn(
      { messages: messages.length, ...errorFields(error) },
      'the queue refused a hand-off; the rows are kept and will be swept',
    )
  }
}

async function sendAll(queue: EventQueue, messages: QueuedEvent[]): Promise<void> {
  if (queue.sendBatch) await queue.sendBatch(messages)
  else for (const message of messages) await queue.send(message)
}

/** The first messages of each workspace, and the rows of the others. */
function divided(
  messages: readonly QueuedEvent[],
  atOnce = Infinity,
): { dispatched: QueuedEvent[]; beyond: ClaimRef[] } {
  const counts = new Map<string, number>()
  const dispatched: QueuedEvent[] = []
  const beyond: ClaimRef[] = []
  for (const message of messages) {
    const { workspaceId, outboxId, gen } = message
    const count = counts.get(workspaceId) ?? 0
    counts.set(workspaceId, count + 1)
    if (count < atOnce || outboxId === undefined || gen === undefined) dispatched.push(message)
    else beyond.push({ id: outboxId, gen })
  }
  return { dispatched, beyond }
}

/**
 * The event itself, where its rows could not be inserted: whoever receives it runs the fan-out under the same event id, so a
 * repeat makes no second row.
 */
export async function dispatchWithoutRows(
  queue: EventQueue,
  event: PreparedEvent,
  { counters, logger }: { counters: EngineCounters; logger: Logger },
): Promise<void> {
  const { type, workspaceId, data, id: eventId, channels, timestamp } = event
  try {
    const message = { type, workspaceId, data, raw: event.raw, eventId, channels, timestamp }
    await inTime(queue.send(message), SILENCE_MS, 'the queue')
  } catch (error) {
    counters.notAccepted++
    logger.error({ eventId, type, ...errorFields(error) }, 'an event was not accepted by the database nor by the queue')
  }
}

/** The messages of an event's rows that are still waiting, for a host that ran the fan-out in its own transaction. */
export async function messagesOf({ db, dispatchAtOnce }: PublishTarget, eventId: string): Promise<QueuedEvent[]> {
  const untold = dispatchAtOnce === undefined ? raw('') : raw('and ready = 0')
  const { rows } = await db.run<Pick<PendingEvent, 'id' | 'gen' | 'workspaceId' | 'type'>>(sqlText`
    select ${pendingEvents.some('pending_events', ['id', 'gen', 'workspaceId', 'type'])}
    from pending_events where ${eventRange(eventId)} and status = 'pending' ${untold} order by id`)
  return rows.map((row) => ({ ...messageFor(row), eventId, endpointId: endpointIdOf(row.id) }))
}

/**
 * What an adapter does with a message that has no `outboxId`: makes the rows, under the event id that the message
 * carries, so that a second copy makes none. Returns the messages of the rows. The message itself is never delivered.
 */
export async function insertQueuedEvent(target: PublishTarget, message: QueuedEvent): Promise<QueuedEvent[]> {
  if (message.outboxId !== undefined) {
    throw new EngineError(
      'invalid_option',
      `the row of ${message.outboxId} is durable already: there is nothing to keep`,
    )
  }
  const { type, workspaceId, eventId: id, channels, timestamp } = message
  const data = message.data ?? (message.raw ? undefined : {})
  // Anybody may have written it: with both, `prepareEvent` refuses it.
  const event = prepareEvent({ type, workspaceId, data, raw: message.raw, id, channels, timestamp } as WebhookEvent)
  return messagesFor(target, event, await fanOut(target, event))
}
