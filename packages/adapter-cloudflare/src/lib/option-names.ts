import { ENGINE_OPTION_NAMES, type EngineOptions } from '@keepsend/engine'
import type { OptionNames } from '@keepsend/outbox'
import { checkNames } from './errors.ts'
import type { InlineEventQueueOptions } from './inline.ts'
import type { CloudflareEventQueueOptions } from './producer.ts'
import type { QueuePolicyOptions } from './queue-policy.ts'
import type { CreateWorkerOptions, WorkerBindings } from './worker.ts'

const policy = {
  maxBatchSize: 'number',
  maxBatchTimeoutSeconds: 'number',
  retentionSeconds: 'number',
  leaseMs: 'number',
  graceMs: 'number',
  sweepLimit: 'number',
} as const satisfies OptionNames<QueuePolicyOptions>

// The Worker brings these three.
const { db: _db, queue: _queue, secrets: _secrets, ...engine } = ENGINE_OPTION_NAMES
engine satisfies OptionNames<Omit<EngineOptions, 'db' | 'queue' | 'secrets'>>

const bindings = { db: 'object', queue: 'any', secrets: 'any', engine } as const satisfies OptionNames<WorkerBindings>

/**
 * Every option of this package, by the function. The compiler keeps each list whole, the functions refuse what is not in
 * it, and the test "every option given as undefined is its default" goes through it.
 */
export const OPTION_NAMES = {
  createWorker: {
    bindings,
    app: 'function',
    ownHostnames: 'texts',
    deliveriesAtMost: 'number',
    dispatchAtOnce: 'number',
    deadLetterQueue: 'text',
    ...policy,
  } satisfies OptionNames<CreateWorkerOptions<object>>,
  'bindings(env)': bindings,
  createQueuePolicy: policy,
  CloudflareEventQueue: {
    queue: 'any',
    sendTimeoutMs: 'number',
    dispatchAtOnce: 'number',
  } satisfies OptionNames<CloudflareEventQueueOptions>,
  InlineEventQueue: { deliveriesAtMost: 'number' } satisfies OptionNames<InlineEventQueueOptions>,
}

/** @throws {AdapterError} `invalid_option` for an option that the function does not have */
export function checkOptions(owner: keyof typeof OPTION_NAMES, options: object): void {
  checkNames(owner, OPTION_NAMES[owner], options)
}
