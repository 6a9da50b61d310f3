// The platform's objects by the few members that are used, so that any version of its types fits, and a stand-in too.

/** A Queues producer binding. */
export interface QueueBinding {
  sendBatch(messages: Iterable<{ body: unknown; delaySeconds?: number }>): Promise<unknown>
}

/** The argument of a `queue` handler. */
export interface QueueBatch {
  readonly queue: string
  readonly messages: readonly QueueMessage[]
}

/** One message of a {@link QueueBatch}. The first of `ack` and `retry` counts. */
export interface QueueMessage {
  readonly body: unknown
  /** 1 for the first delivery. */
  readonly attempts: number
  /** When it was sent. A message without it counts as one that did not wait. */
  readonly timestamp?: Date | undefined
  ack(): void
  retry(options?: { delaySeconds?: number }): void
}

/** An execution context, as the platform creates it and a Hono app expects it. */
export interface ExecutionContextLike {
  waitUntil(work: Promise<unknown>): void
  passThroughOnException(): void
  readonly props: unknown
}
