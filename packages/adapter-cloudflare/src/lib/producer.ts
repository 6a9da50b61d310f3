import type { OptionNames } from '@keepsend/outbox/internal'
import type { EventQueue, QueuedEvent } from '@keepsend/engine'
import type { QueueBinding } from './bindings.ts'
import { CloudflareAdapterError, checkBounds, checkNames } from './errors.ts'
import { toBody } from './message.ts'

export interface CloudflareEventQueueOptions {
  /** The producer binding, for example `env.WEBHOOKS`. */
  queue: QueueBinding
  /**
   * How long the queue has to answer, in ms: 100–60,000. After that the messages count as refused; if it took them after all,
   * they are stale when the sweep has sent others. @default 10_000
   */
  sendTimeoutMs?: number | undefined
  /**
   * Messages that one publish sends immediately for a workspace: 1–10,000. Further rows, and all rows while others of the
   * workspace wait in lanes, are dispatched as its deliveries are settled, so that messages of other workspaces do not wait
   * behind all of them. @default 100
   */
  messagesPerPublish?: number | undefined
}

export const QUEUE_OPTIONS = {
  queue: 'any',
  sendTimeoutMs: 'number',
  messagesPerPublish: 'number',
} satisfies OptionNames<CloudflareEventQueueOptions>

/** A message with its delay. */
export interface DelayedEvent {
  message: QueuedEvent
  /** 0–86,400 (24 h, the platform's bound). */
  delaySeconds: number
}

// The platform's bounds (1 KB is 1,000 bytes). It also counts about 100 bytes of metadata for each message.
const MAX_MESSAGES = 100
const MAX_BATCH_BYTES = 256_000
const MAX_MESSAGE_BYTES = 128_000
const METADATA_BYTES = 100

/** The longest delay of a message. */
export const MAX_DELAY_SECONDS = 86_400

/** The producer side of a Cloudflare Queue: its messages notify the consumer of committed rows. They carry ids, never payloads. */
export class CloudflareEventQueue implements EventQueue {
  readonly rowsStart = 'dispatched'
  readonly messagesPerPublish: number
  readonly #queue: QueueBinding
  readonly #sendTimeoutMs: number

  constructor(options: CloudflareEventQueueOptions) {
    checkNames('CloudflareEventQueue', QUEUE_OPTIONS, options)
    const { queue, sendTimeoutMs = 10_000, messagesPerPublish = 100 } = options
    checkBounds('sendTimeoutMs', sendTimeoutMs, 100, 60_000)
    checkBounds('messagesPerPublish', messagesPerPublish, 1, 10_000)
    this.#queue = queue
    this.#sendTimeoutMs = sendTimeoutMs
    this.messagesPerPublish = messagesPerPublish
  }

  send(message: QueuedEvent): Promise<void> {
    return this.sendBatch([message])
  }

  async sendBatch(messages: readonly QueuedEvent[]): Promise<void> {
    const { failed } = await this.sendDelayed(messages.map((message) => ({ message, delaySeconds: 0 })))
    if (failed[0]) throw failed[0].error
  }

  /** Sends the messages in as few batches as fit. A batch that the queue refuses is returned and stops no other. */
  async sendDelayed(
    delayed: readonly DelayedEvent[],
  ): Promise<{ failed: { messages: QueuedEvent[]; error: unknown }[] }> {
    const failed: { messages: QueuedEvent[]; error: unknown }[] = []
    let timedOut: CloudflareAdapterError | undefined
    for (const part of parts(delayed)) {
      try {
        // After a time-out the other parts fail immediately: each would wait as long.
        if (timedOut) throw timedOut
        await this.#sendPart(part)
      } catch (error) {
        if (error instanceof CloudflareAdapterError && error.code === 'queue_timeout') timedOut = error
        failed.push({ messages: part.map(({ message }) => message), error })
      }
    }
    return { failed }
  }

  async #sendPart(part: readonly DelayedEvent[]): Promise<void> {
    const [first] = part
    if (part.length === 1 && first && bytesOf(first) > MAX_MESSAGE_BYTES) {
      throw new CloudflareAdapterError(
        'message_too_large',
        `a queue message holds at most ${MAX_MESSAGE_BYTES} bytes; found ${bytesOf(first)} in an event of type ${first.message.type}`,
      )
    }
    const bodies = part.map(({ message, delaySeconds }) => ({
      body: toBody(message, Math.min(delaySeconds, MAX_DELAY_SECONDS)),
      ...(delaySeconds > 0 && { delaySeconds: Math.min(delaySeconds, MAX_DELAY_SECONDS) }),
    }))
    let timer: ReturnType<typeof setTimeout> | undefined
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const message = `the queue did not answer within ${this.#sendTimeoutMs} ms`
        reject(new CloudflareAdapterError('queue_timeout', message))
      }, this.#sendTimeoutMs)
    })
    try {
      await Promise.race([this.#queue.sendBatch(bodies), timeout])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Splits in order into parts within the platform's bounds; a message that is too large is a part of its own. */
function parts(delayed: readonly DelayedEvent[]): DelayedEvent[][] {
  const all: DelayedEvent[][] = []
  let room = 0
  for (const one of delayed) {
    const bytes = bytesOf(one)
    const part = all.at(-1)
    if (part && part.length < MAX_MESSAGES && bytes <= Math.min(room, MAX_MESSAGE_BYTES)) part.push(one)
    else all.push([one])
    // A message that is refused for its size must not take others with it.
    room = bytes > MAX_MESSAGE_BYTES ? 0 : (all.at(-1)?.length === 1 ? MAX_BATCH_BYTES : room) - bytes
  }
  return all
}

const encoder = new TextEncoder()

function bytesOf({ message, delaySeconds }: DelayedEvent): number {
  return encoder.encode(JSON.stringify(toBody(message, delaySeconds))).length + METADATA_BYTES
}
