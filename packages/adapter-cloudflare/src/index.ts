export type { ExecutionContextLike, QueueBatch, QueueBinding, QueueMessage } from './lib/bindings.ts'
export { consumeBatch } from './lib/consumer.ts'
export { consumeDeadLetters } from './lib/dead-letter.ts'
export { CloudflareAdapterError, type CloudflareAdapterErrorCode } from './lib/errors.ts'
export { InlineEventQueue, type InlineEventQueueOptions } from './lib/inline-queue.ts'
export { jsonConsoleLogger } from './lib/logger.ts'
export { CloudflareEventQueue, type CloudflareEventQueueOptions, type DelayedEvent } from './lib/producer.ts'
export { type QueuePolicy, type QueuePolicyOptions, createQueuePolicy } from './lib/queue-policy.ts'
export { type SweepReport, sweep } from './lib/scheduled.ts'
export { createFetchSender } from './lib/fetch-sender.ts'
export {
  type CreateWorkerOptions,
  type KeepsendWorker,
  type WorkerBindings,
  type WorkerParts,
  createWorker,
} from './lib/worker.ts'
