import type { QueuedEvent } from '@keepsend/engine'
import { describe, expect, it } from 'vitest'
import { CloudflareAdapterError, CloudflareEventQueue, type QueueBinding } from '../../src/index.ts'
import type { Sent } from './rig.ts'

/** A queue that enforces the platform's bounds, which the local one does not, and records its messages. */
function strictQueue(fails: (batch: number) => boolean = () => false): { queue: QueueBinding; batches: Sent[][] } {
  const batches: Sent[][] = []
  let calls = 0
  return {
    batches,
    queue: {
      async sendBatch(messages) {
        const batch = [...messages] as Sent[]
        if (fails(calls++)) throw new Error('Too Many Requests')
        const sizes = batch.map(({ body }) => new TextEncoder().encode(JSON.stringify(body)).length + 100)
        if (batch.length > 100) throw new Error(`${batch.length} messages`)
        if (Math.max(...sizes) > 128_000) throw new Error('a message is too large')
        if (sizes.reduce((sum, size) => sum + size, 0) > 256_000) throw new Error('the batch is too large')
        batches.push(batch)
      },
    },
  }
}

const named = (n: number): QueuedEvent => ({
  type: 't',
  workspaceId: 'w',
  outboxId: `evt_${n}.ep`,
  gen: n,
  data: { n },
})
const whole = (bytes: number): QueuedEvent => ({ type: 't', workspaceId: 'w', data: { text: 'x'.repeat(bytes) } })

describe('a queue gets', () => {
  it('the id of the row and its gen, never the payload', async () => {
    const { queue, batches } = strictQueue()
    await new CloudflareEventQueue({ queue }).send(named(7))
    expect(batches).toEqual([[{ body: { outboxId: 'evt_7.ep', gen: 7 } }]])
  })

  it('an event without rows as a whole', async () => {
    const { queue, batches } = strictQueue()
    await new CloudflareEventQueue({ queue }).send(whole(10))
    expect(batches).toEqual([[{ body: whole(10) }]])
  })

  it('at most a hundred messages in a batch, in order, and nothing for an empty list', async () => {
    const { queue, batches } = strictQueue()
    const adapter = new CloudflareEventQueue({ queue })
    const messages = Array.from({ length: 250 }, (_, n) => named(n))
    await adapter.sendBatch(messages)
    expect(batches.map(({ length }) => length)).toEqual([100, 100, 50])
    expect(batches.flat().map(({ body }) => body)).toEqual(messages.map(({ outboxId, gen }) => ({ outboxId, gen })))
    await adapter.sendBatch([])
    expect(batches).toHaveLength(3)
  })

  it('at most 256 KB in a batch', async () => {
    const { queue, batches } = strictQueue()
    await new CloudflareEventQueue({ queue }).sendBatch([60_000, 60_000, 60_000, 60_000, 60_000, 120_000].map(whole))
    expect(batches.map(({ length }) => length)).toEqual([4, 2])
  })

  it('a delay of a day at most, and none for immediate messages', async () => {
    const { queue, batches } = strictQueue()
    const delays = [0, 5, 90_000]
    await new CloudflareEventQueue({ queue }).sendDelayed(
      delays.map((delaySeconds, n) => ({ message: named(n), delaySeconds })),
    )
    expect(batches.flat().map(({ delaySeconds }) => delaySeconds)).toEqual([undefined, 5, 86_400])
  })
})

describe('a refusal of the queue', () => {
  it('is returned with its messages, and stops no other batch', async () => {
    const { queue, batches } = strictQueue((batch) => batch === 1)
    const messages = Array.from({ length: 250 }, (_, n) => named(n))
    const { failed } = await new CloudflareEventQueue({ queue }).sendDelayed(
      messages.map((message) => ({ message, delaySeconds: 0 })),
    )
    expect(failed).toEqual([{ messages: messages.slice(100, 200), error: new Error('Too Many Requests') }])
    expect(batches.map(({ length }) => length)).toEqual([100, 50])
  })

  it('makes send and sendBatch reject', async () => {
    const { queue } = strictQueue(() => true)
    const adapter = new CloudflareEventQueue({ queue })
    await expect(adapter.send(named(1))).rejects.toThrow('Too Many Requests')
    await expect(adapter.sendBatch([named(1), named(2)])).rejects.toThrow('Too Many Requests')
  })

  it('of a message that is too large names it, and the others arrive', async () => {
    const { queue, batches } = strictQueue()
    const adapter = new CloudflareEventQueue({ queue })
    const { failed } = await adapter.sendDelayed(
      [named(1), whole(130_000), named(2)].map((message) => ({ message, delaySeconds: 0 })),
    )
    expect(failed).toMatchObject([{ error: { code: 'message_too_large' } }])
    expect(batches.flat()).toHaveLength(2)
  })

  it('by silence counts after its time-out', async () => {
    const adapter = new CloudflareEventQueue({ queue: { sendBatch: () => new Promise(() => {}) }, sendTimeoutMs: 100 })
    await expect(adapter.send(named(1))).rejects.toMatchObject({
      name: 'CloudflareAdapterError',
      code: 'queue_timeout',
    })
  })

  it('by silence ends the calls to it', async () => {
    let calls = 0
    const queue = { sendBatch: () => (calls++, new Promise(() => {})) }
    const adapter = new CloudflareEventQueue({ queue, sendTimeoutMs: 100 })
    const messages = Array.from({ length: 500 }, (_, n) => ({ message: named(n), delaySeconds: 0 }))
    const { failed } = await adapter.sendDelayed(messages)
    expect(failed.flatMap((part) => part.messages)).toHaveLength(500)
    expect(calls).toBe(1)
  })

  it('an option out of bounds is refused by the constructor', () => {
    const { queue } = strictQueue()
    for (const sendTimeoutMs of [0, 99, 60_001, 1.5]) {
      expect(() => new CloudflareEventQueue({ queue, sendTimeoutMs })).toThrow(CloudflareAdapterError)
    }
  })
})
