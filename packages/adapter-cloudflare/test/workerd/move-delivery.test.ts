// A person retries a delivery now or gives it up, while its message is in the queue or its attempt in flight.
import { describe, expect, it, vi } from 'vitest'
import { consumeBatch, sweep } from '../../src/index.ts'
import { PATIENCE, type Rig, batchOf, fates, rig } from './rig.ts'

async function deliver(parts: Rig, bodies: readonly unknown[]): Promise<unknown[]> {
  const batch = batchOf(bodies)
  await consumeBatch(parts.policy, batch)
  return fates(batch.messages)
}

const take = ({ sent }: Rig): unknown[] => sent.splice(0).map(({ body }) => body)

describe('retryNow', () => {
  it('sends a message with the new gen for a delivery that waits; the message of its retry is stale', async () => {
    const parts = await rig()
    const hook = await parts.addEndpoint({ status: 500 })
    const [id = ''] = await parts.publish(1)
    await parts.consume()
    const retry = take(parts)
    const { gen } = await parts.engine.deliveries.retryNow('w', id)
    const now = take(parts)
    expect(now).toEqual([{ outboxId: id, gen }])
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    await hook.answer({ status: 200 })
    expect(await deliver(parts, retry)).toEqual(['ack'])
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await deliver(parts, now)).toEqual(['ack'])
    expect(await hook.arrivals()).toHaveLength(2)
    expect(await parts.rows()).toEqual([])
  })

  it('of a dispatched delivery leads to one request, whichever of its two messages comes first', async () => {
    for (const order of ['older first', 'newer first']) {
      const parts = await rig()
      const hook = await parts.addEndpoint()
      const [id = ''] = await parts.publish(1)
      const older = take(parts)
      await parts.engine.deliveries.retryNow('w', id)
      const both = [older, take(parts)]
      for (const bodies of order === 'older first' ? both : both.toReversed()) {
        expect(await deliver(parts, bodies)).toEqual(['ack'])
      }
      expect(await hook.arrivals(), order).toHaveLength(1)
      expect(await parts.rows()).toEqual([])
    }
  })

  it('of an attempt in flight makes its settle lost', async () => {
    const parts = await rig()
    const hook = await parts.addEndpoint({ status: 'never' })
    const [id = ''] = await parts.publish(1)
    const delivered = deliver(parts, take(parts))
    await vi.waitFor(async () => expect(await hook.open()).toBe(1), PATIENCE)
    await parts.engine.deliveries.retryNow('w', id)
    const [row] = await parts.rows()
    await hook.answer({ status: 200 })
    expect(await delivered).toEqual(['ack'])
    expect(await parts.rows()).toEqual([row])
    expect(await deliver(parts, take(parts))).toEqual(['ack'])
    expect(await parts.rows()).toEqual([])
  })
})

describe('giveUp', () => {
  it('fails a delivery whose message then sends nothing, and no sweep finds it', async () => {
    const parts = await rig()
    const hook = await parts.addEndpoint()
    const [id = ''] = await parts.publish(1)
    await parts.engine.deliveries.giveUp('w', id, { by: 'dana' })
    expect(await deliver(parts, take(parts))).toEqual(['ack'])
    await parts.lapse()
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    expect(await hook.arrivals()).toEqual([])
    expect(await parts.rows()).toMatchObject([{ status: 'failed', lastError: 'given_up', attempts: 0 }])
    const { rows } = await parts.engine.audit.list('w', { limit: 10, verb: 'delivery.give_up' })
    expect(rows).toMatchObject([{ deliveryId: id, by: 'dana' }])
  })
})
