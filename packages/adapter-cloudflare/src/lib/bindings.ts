// What the platform hands in, by the few members that are used: any version of its types fits, and so does a stand-in.

/** A Queues producer binding. */
export interface QueueBinding {
  sendBatch(messages: Iterable<{ body: unknown; delaySeconds?: number }>): Promise<unknown>
}

/** What a `queue` handler is given. */
export interface QueueBatch {
  readonly queue: string
  readonly messages: readonly QueueMessage[]
}

/** One message of a {@link QueueBatch}. The first of `ack` and `retry` counts. */
export interface QueueMessage {
  readonly body: unknown
  /** 1 the first time. */
  readonly attempts: number
  /** When it was sent. Left out, it counts as one that did not wait. */
  readonly timestamp?: Date | undefined
  ack(): void
  retry(options?: { delaySeconds?: number }): void
}

/** An execution context, as the platform makes it and an app of Hono wants it. */
export interface ExecutionContextLike {
  waitUntil(work: Promise<unknown>): void
  passThroughOnException(): void
  readonly props: unknown
}
