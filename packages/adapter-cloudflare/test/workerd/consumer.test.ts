import { consumeBatch } from '@keepsend/adapter-cloudflare'
import { expect, it } from 'vitest'
import { batchOf, rig } from './rig.ts'

it('a batch is delivered, settled and acknowledged; messages carry ids and no payload', async () => {
  const { addEndpoint, policy, publish, rows, sent } = await rig()
  const hook = await addEndpoint()
  const ids = await publish(12)
  expect(sent.map(({ body }) => body)).toEqual(ids.map((outboxId) => ({ outboxId, gen: 0 })))
  expect(await rows()).toMatchObject(ids.map(() => ({ dueAt: null, attempts: 0 })))

  const batch = batchOf(sent.map(({ body }) => body))
  await consumeBatch(policy, batch)
  expect(batch.messages.map(({ fate }) => fate)).toEqual(ids.map(() => 'ack'))
  const arrivals = await hook.arrivals()
  expect(arrivals.map(({ id }) => id).sort()).toEqual(ids.map((id) => id.slice(0, id.indexOf('.'))))
  expect(arrivals.every(({ verified }) => verified)).toBe(true)
  expect(await rows()).toEqual([])
})
