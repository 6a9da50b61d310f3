import { createEngine } from '@keepsend/engine'
import { fromD1 } from '@keepsend/outbox/d1'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import {
  CloudflareEventQueue,
  type QueuePolicy,
  type QueuePolicyOptions,
  createFetchSender,
  createQueuePolicy,
} from '../../src/index.ts'
import { TEST_KEYS } from './keys.ts'

function policy(
  options: QueuePolicyOptions = {},
  deadlines: { deadlineMs?: number; maxDeadlineMs?: number } = {},
): QueuePolicy {
  const queue = new CloudflareEventQueue({ queue: env.WEBHOOKS })
  const engine = createEngine({
    db: fromD1(env.DB),
    queue,
    secrets: TEST_KEYS,
    sender: createFetchSender(),
    ...deadlines,
  })
  return createQueuePolicy({ engine, queue }, options)
}

describe('the first lease', () => {
  it('is two minutes if a batch takes less', () => {
    expect(policy().leaseMs).toBe(120_000)
  })

  it('is the longest time of a batch if that is longer', () => {
    // 30 s to fill a batch, 20 rounds of 30 s each, 10 s to spare.
    expect(policy({ maxBatchSize: 100, maxBatchTimeoutSeconds: 30 }).leaseMs).toBe(640_000)
  })

  it('is refused if a batch can take longer, with that time', () => {
    expect(() => policy({ leaseMs: 74_999 })).toThrow(/leaseMs must be at least 75000, .* found 74999/)
    expect(policy({ leaseMs: 75_000 }).leaseMs).toBe(75_000)
    expect(policy({ leaseMs: 31_000 }, { deadlineMs: 8000, maxDeadlineMs: 8000 }).leaseMs).toBe(31_000)
  })

  it('is refused if a batch can take longer than the platform allows', () => {
    expect(() => policy({ maxBatchSize: 100, maxBatchTimeoutSeconds: 60 }, { maxDeadlineMs: 30_000 })).not.toThrow()
    expect(() => policy({ leaseMs: 900_001 })).toThrow(/leaseMs must be a whole number from 1000 to 900000/)
  })
})

describe('the horizon', () => {
  it('is a day, or half of the queue’s retention', () => {
    expect(policy().horizonMs).toBe(86_400_000)
    expect(policy({ retentionSeconds: 86_400 }).horizonMs).toBe(43_200_000)
  })
})

it.each([
  [{ maxBatchSize: 0 }, 'maxBatchSize'],
  [{ maxBatchSize: 101 }, 'maxBatchSize'],
  [{ maxBatchTimeoutSeconds: 61 }, 'maxBatchTimeoutSeconds'],
  [{ maxBatchTimeoutSeconds: -1 }, 'maxBatchTimeoutSeconds'],
  [{ retentionSeconds: 59 }, 'retentionSeconds'],
  [{ graceMs: 59_999 }, 'graceMs'],
  [{ sweepLimit: 1 }, 'sweepLimit'],
  [{ sweepLimit: 10_001 }, 'sweepLimit'],
])('%j is refused by name', (options, name) => {
  expect(() => policy(options)).toThrow(new RegExp(`^${name} must be a whole number from`))
})
