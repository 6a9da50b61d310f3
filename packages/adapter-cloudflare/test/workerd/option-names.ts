import { INLINE_QUEUE_OPTIONS } from '../../src/lib/inline-queue.ts'
import { QUEUE_OPTIONS } from '../../src/lib/producer.ts'
import { QUEUE_POLICY_OPTIONS } from '../../src/lib/queue-policy.ts'
import { BINDINGS_OPTIONS, WORKER_OPTIONS } from '../../src/lib/worker.ts'

/** The options of each function, by the name that its errors use. */
export const OPTION_NAMES = {
  createWorker: WORKER_OPTIONS,
  'bindings(env)': BINDINGS_OPTIONS,
  createQueuePolicy: QUEUE_POLICY_OPTIONS,
  CloudflareEventQueue: QUEUE_OPTIONS,
  InlineEventQueue: INLINE_QUEUE_OPTIONS,
}
