import type { Logger, QueuedEvent } from '@keepsend/engine'
import type { ClaimRef } from '@keepsend/outbox'
import type { QueueMessage } from './bindings.ts'

/**
 * The body of a queue message: the id of a row and its `gen`, never its payload; and its delay, so that the delay does not
 * count as a queue that is behind. An event whose rows could not be inserted travels as a whole, once: the consumer inserts
 * its rows.
 */
export type MessageBody = { outboxId: string; gen: number; delaySeconds?: number } | QueuedEvent

/** The body of the message for an event. */
export function toBody(message: QueuedEvent, delaySeconds = 0): MessageBody {
  const { outboxId, gen = 0 } = message
  return outboxId === undefined ? message : { outboxId, gen, ...(delaySeconds > 0 && { delaySeconds }) }
}

/** A message with the id of a row. */
export interface NamedMessage {
  message: QueueMessage
  ref: ClaimRef
  /** The delay that it was sent with, in ms. */
  delayMs: number
}

// An event id, a dot and an endpoint id have 105 characters at most. Longer ids are malformed; a batch of them would exceed
// what D1 takes in one read, and delay the other messages of the batch.
const MAX_ID_LENGTH = 255

/**
 * Validates a batch: anybody with access to the account can write messages. Of two messages for one row, the one with the later
 * `gen` counts, and the other is acknowledged. Malformed messages are logged and acknowledged, because they would come back a
 * hundred times.
 */
export function sortMessages(
  messages: readonly QueueMessage[],
  logger: Logger,
): { named: NamedMessage[]; events: { message: QueueMessage; event: QueuedEvent }[] } {
  const named = new Map<string, NamedMessage>()
  const events: { message: QueueMessage; event: QueuedEvent }[] = []
  for (const message of messages) {
    const body = (message.body ?? {}) as Partial<QueuedEvent> & { delaySeconds?: unknown }
    const { outboxId, gen, type, workspaceId, channels = [], delaySeconds } = body
    if (typeof outboxId === 'string' && outboxId.length <= MAX_ID_LENGTH && Number.isSafeInteger(gen)) {
      const ref = { id: outboxId, gen: gen as number }
      const other = named.get(outboxId)
      const isLater = !other || other.ref.gen < ref.gen
      ;(isLater ? other?.message : message)?.ack()
      if (isLater)
        named.set(outboxId, { message, ref, delayMs: typeof delaySeconds === 'number' ? delaySeconds * 1000 : 0 })
    } else if (
      outboxId === undefined &&
      typeof type === 'string' &&
      typeof workspaceId === 'string' &&
      Array.isArray(channels)
    ) {
      events.push({ message, event: message.body as QueuedEvent })
    } else {
      logger.error(
        { found: shapeOf(message.body) },
        'dropped a malformed message: expected { outboxId, gen } or an event',
      )
      message.ack()
    }
  }
  return { named: [...named.values()], events }
}

/** Describes a value without its content, which may be an event. */
function shapeOf(body: unknown): string {
  if (typeof body !== 'object' || body === null) return body === null ? 'null' : typeof body
  if (Array.isArray(body)) return 'array'
  return `object with ${Object.keys(body).slice(0, MAX_SHOWN).join(', ') || 'no keys'}`
}

const MAX_SHOWN = 8
