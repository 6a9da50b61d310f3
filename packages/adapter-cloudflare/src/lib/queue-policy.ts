import type { Engine } from '@keepsend/engine'
import type { OptionNames, Resolved } from '@keepsend/outbox/internal'
import { CloudflareAdapterError, checkBounds, checkCanDeliver, checkNames } from './errors.ts'
import { type CloudflareEventQueue, MAX_DELAY_SECONDS } from './producer.ts'
import { MAX_CONCURRENT } from './deliver-batch.ts'

/** Settings of one queue for its consumers and the sweep. They must equal those of `wrangler.jsonc`. */
export interface QueuePolicyOptions {
  /** `max_batch_size` of the consumer: 1–100. @default 10 */
  maxBatchSize?: number | undefined
  /** `max_batch_timeout` of the consumer, in seconds: 0–60. @default 5 */
  maxBatchTimeoutSeconds?: number | undefined
  /**
   * How long the queue retains a message, in seconds: 60–1,209,600. Retries that are further away than half of it are left to
   * the sweep. 86,400 on the free plan. @default 345_600 (4 days, the platform's default)
   */
  retentionSeconds?: number | undefined
  /**
   * How long the sweep leaves a dispatched row to the queue before it dispatches it again, in ms. At least the longest time of a
   * full batch: batch time-out + ceil(batch / 5) × the engine's `maxDeadlineMs` + 10 s; at most 15 min, after which the platform
   * ends a consumer. @default 120_000, or that sum if it is more
   */
  leaseMs?: number | undefined
  /** How long a retry's message may be late before the sweep sends another, in ms: 60,000–3,600,000. @default 300_000 */
  graceMs?: number | undefined
  /** Rows that one tick of the sweep dispatches: 2–10,000. @default 1000 */
  sweepLimit?: number | undefined
}

export const QUEUE_POLICY_OPTIONS = {
  maxBatchSize: 'number',
  maxBatchTimeoutSeconds: 'number',
  retentionSeconds: 'number',
  leaseMs: 'number',
  graceMs: 'number',
  sweepLimit: 'number',
} as const satisfies OptionNames<QueuePolicyOptions>

/** {@link QueuePolicyOptions} with its defaults, checked against the engine. */
export interface QueuePolicy extends Resolved<QueuePolicyOptions> {
  engine: Engine
  queue: CloudflareEventQueue
  /** The longest delay of a retry's message, in ms; later retries are left to the sweep. */
  horizonMs: number
}

const DEFAULT_LEASE_MS = 120_000
// For reading and settling the batch on a slow D1.
const MARGIN_MS = 10_000
const MAX_WALL_MS = 900_000

/**
 * Creates the policy that the producer, the consumers and the sweep of one queue share.
 *
 * @throws {CloudflareAdapterError} `invalid_option`, naming option, bound and value; also for an engine without a sender
 */
export function createQueuePolicy(
  parts: { engine: Engine; queue: CloudflareEventQueue },
  options: QueuePolicyOptions = {},
): QueuePolicy {
  checkNames('createQueuePolicy', QUEUE_POLICY_OPTIONS, options)
  checkCanDeliver(parts.engine)
  const { maxBatchSize = 10, maxBatchTimeoutSeconds = 5, retentionSeconds = 345_600 } = options
  const { graceMs = 300_000, sweepLimit = 1000 } = options
  checkBounds('maxBatchSize', maxBatchSize, 1, 100)
  checkBounds('maxBatchTimeoutSeconds', maxBatchTimeoutSeconds, 0, 60)
  checkBounds('retentionSeconds', retentionSeconds, 60, 1_209_600)
  checkBounds('graceMs', graceMs, 60_000, 3_600_000)
  checkBounds('sweepLimit', sweepLimit, 2, 10_000)
  const { maxDeadlineMs } = parts.engine.worker
  const leastMs = maxBatchTimeoutSeconds * 1000 + Math.ceil(maxBatchSize / MAX_CONCURRENT) * maxDeadlineMs + MARGIN_MS
  if (leastMs > MAX_WALL_MS) {
    throw new CloudflareAdapterError(
      'invalid_option',
      `a batch of ${maxBatchSize} with deadlines of ${maxDeadlineMs} ms can take ${leastMs} ms, and the platform ends a consumer after ${MAX_WALL_MS}: lower maxBatchSize or the engine's maxDeadlineMs`,
    )
  }
  const { leaseMs = Math.max(DEFAULT_LEASE_MS, leastMs) } = options
  if (leaseMs < leastMs) {
    throw new CloudflareAdapterError(
      'invalid_option',
      `leaseMs must be at least ${leastMs}, what a batch of ${maxBatchSize} with deadlines of ${maxDeadlineMs} ms can take; found ${leaseMs}`,
    )
  }
  checkBounds('leaseMs', leaseMs, 1000, MAX_WALL_MS)
  const horizonMs = Math.min(MAX_DELAY_SECONDS, retentionSeconds / 2) * 1000
  return {
    ...parts,
    maxBatchSize,
    maxBatchTimeoutSeconds,
    retentionSeconds,
    leaseMs,
    graceMs,
    sweepLimit,
    horizonMs,
  }
}
