import type { OptionNames } from '@keepsend/outbox/internal'
import type { EventQueue, QueuedEvent } from '@keepsend/engine'
import type { QueueBinding } from './bindings.ts'
import { CloudflareAdapterError, checkBounds, checkNames } from './errors.ts'
import { toBody } from './message.ts'

export interface CloudflareEventQueueOptions {
  /** The producer binding, `env.WEBHOOKS` say. */
  queue: QueueBinding
  /**
   * How long the queue has to answer, in ms: 100–60,000. After it the messages count as not taken; if they were,
   * their copies are stale by then. @default 10_000
   */
  sendTimeoutMs?: number | undefined
  /**
   * Messages that one publish sends for a workspace: 1–10,000. What is more, and whatever comes while rows of the
   * workspace wait in line, is dispatched as its deliveries are settled, so that no neighbour's message stands behind all of
   * them. @default 100
   */
  dispatchAtOnce?: number | undefined
}

export const QUEUE_OPTIONS = {
  queue: 'any',
  sendTimeoutMs: 'number',
  dispatchAtOnce: 'number',
} satisfies OptionNames<CloudflareEventQueueOptions>

/** A message, and how long the queue keeps it to itself. */
export interface DelayedEvent {
  message: QueuedEvent
  /** 0 for at once. At most 86,400 (24 h, the platform's bound). */
  delaySeconds: number
}

// The platform's bounds, in its bytes (1 KB is 1,000). About 100 bytes of a message's own are counted too.
const MAX_MESSAGES = 100
const MAX_BATCH_BYTES = 256_000
const MAX_MESSAGE_BYTES = 128_000
const METADATA_BYTES = 100

/** The longest that a queue keeps a message back. */
export const MAX_DELAY_SECONDS = 86_400

/** The queue that tells a consumer of durable rows. Messages carry ids, never payloads. */
export class CloudflareEventQueue implements EventQueue {
  readonly rowsStart = 'dispatched'
  readonly dispatchAtOnce: number
  readonly #queue: QueueBinding
  readonly #sendTimeoutMs: number

  constructor(options: CloudflareEventQueueOptions) {
    checkNames('CloudflareEventQueue', QUEUE_OPTIONS, options)
    const { queue, sendTimeoutMs = 10_000, dispatchAtOnce = 100 } = options
    checkBounds('sendTimeoutMs', sendTimeoutMs, 100, 60_000)
    checkBounds('dispatchAtOnce', dispatchAtOnce, 1, 10_000)
    this.#queue = queue
    this.#sendTimeoutMs = sendTimeoutMs
    this.dispatchAtOnce = dispatchAtOnce
  }

  send(message: QueuedEvent): Promise<void> {
    return this.sendBatch([message])
  }

  async sendBatch(messages: readonly QueuedEvent[]): Promise<void> {
    const { failed } = await this.sendDelayed(messages.map((message) => ({ message, delaySeconds: 0 })))
    if (failed[0]) throw failed[0].error
  }

  /** Sends what fits together together. A part that the queue refuses stops no other and is returned. */
  async sendDelayed(
    delayed: readonly DelayedEvent[],
  ): Promise<{ failed: { messages: QueuedEvent[]; error: unknown }[] }> {
    const failed: { messages: QueuedEvent[]; error: unknown }[] = []
    let silence: CloudflareAdapterError | undefined
    for (const part of parts(delayed)) {
      try {
        // A queue that does not answer is not asked again: each part would wait as long.
        if (silence) throw silence
        await this.#sendPart(part)
      } catch (error) {
        if (error instanceof CloudflareAdapterError && error.code === 'queue_timeout') silence = error
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

/** In order, each part within the platform's bounds; a message too large for any stands alone. */
function parts(delayed: readonly DelayedEvent[]): DelayedEvent[][] {
  const all: DelayedEvent[][] = []
  let room = 0
  for (const one of delayed) {
    const bytes = bytesOf(one)
    const part = all.at(-1)
    if (part && part.length < MAX_MESSAGES && bytes <= Math.min(room, MAX_MESSAGE_BYTES)) part.push(one)
    else all.push([one])
    // Beside a message that is refused for its size, nothing else may be refused.
    room = bytes > MAX_MESSAGE_BYTES ? 0 : (all.at(-1)?.length === 1 ? MAX_BATCH_BYTES : room) - bytes
  }
  return all
}

const encoder = new TextEncoder()

function bytesOf({ message, delaySeconds }: DelayedEvent): number {
  return encoder.encode(JSON.stringify(toBody(message, delaySeconds))).length + METADATA_BYTES
}
