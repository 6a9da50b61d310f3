import type { Logger, QueuedEvent } from '@keepsend/engine'
import type { ClaimRef } from '@keepsend/outbox'
import type { QueueMessage } from './bindings.ts'

/**
 * What a queue carries: the name of a row and the generation it had, never its payload; and how long it was to wait, so
 * that this is not taken for a queue that is behind. An event whose rows could not
 * be inserted travels whole, once: whoever receives it makes the rows and drops it.
 */
export type MessageBody = { outboxId: string; gen: number; delaySeconds?: number } | QueuedEvent

/** The body of the message for an event. */
export function toBody(message: QueuedEvent, delaySeconds = 0): MessageBody {
  const { outboxId, gen = 0 } = message
  return outboxId === undefined ? message : { outboxId, gen, ...(delaySeconds > 0 && { delaySeconds }) }
}

/** A message that names a row. */
export interface NamedMessage {
  message: QueueMessage
  ref: ClaimRef
  /** How long it was to wait, in ms. */
  delayMs: number
}

// An event id, a dot and an endpoint id are 105 at most. What is far longer is nobody's, and a batch of them would be
// more than D1 takes in one read: it would hold back the others of its batch.
const MAX_ID_LENGTH = 255

/**
 * Reads a batch, which anybody with access to the account can write to. Of two copies for one row the later `gen` is
 * kept, and the other acknowledged: it has nothing to add. What is nobody's is logged and acknowledged; it names no row
 * that could be settled, and would come back a hundred times.
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
      const keeps = !other || other.ref.gen < ref.gen
      ;(keeps ? other?.message : message)?.ack()
      if (keeps)
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
        'a message names no row of ours: neither { outboxId, gen } nor an event; it is dropped',
      )
      message.ack()
    }
  }
  return { named: [...named.values()], events }
}

/** The shape of anything, and nothing of what it says: it may be an event. */
function shapeOf(body: unknown): string {
  if (typeof body !== 'object' || body === null) return body === null ? 'null' : typeof body
  if (Array.isArray(body)) return 'array'
  return `object with ${Object.keys(body).slice(0, MAX_SHOWN).join(', ') || 'no keys'}`
}

const MAX_SHOWN = 8
