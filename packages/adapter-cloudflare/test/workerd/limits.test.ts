// The limits of a workspace on D1, whose transaction is a batch.
import { env } from 'cloudflare:workers'
import { newEventId } from '@keepsend/engine'
import { expect, it } from 'vitest'
import { consumeBatch } from '../../src/index.ts'
import { batchOf, rig } from './rig.ts'

const ENDPOINT = { url: 'https://hooks.example.com/' }

async function countOf(table: string): Promise<number> {
  return (await env.DB.prepare(`select count(*) as n from ${table}`).first<{ n: number }>())?.n ?? 0
}

async function codes(work: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(work)
  return settled
    .map((one) => (one.status === 'fulfilled' ? 'ok' : (one.reason as { code?: unknown }).code))
    .toSorted((one, other) => String(one).localeCompare(String(other)))
}

it('one of two endpoints that are created concurrently at the limit is refused', async () => {
  const { engine } = await rig({ engine: { limits: { endpointsPerWorkspace: 2 } } })
  await engine.endpoints.create('w', ENDPOINT)
  const two = [1, 2].map(() => engine.endpoints.create('w', ENDPOINT))
  expect(await codes(two)).toEqual(['ok', 'too_many_endpoints'])
  expect([await countOf('keepsend_endpoints'), await countOf('keepsend_secrets')]).toEqual([2, 2])
})

it('one of two API keys that are created concurrently at the limit is refused', async () => {
  const { engine } = await rig({ engine: { limits: { apiKeysPerWorkspace: 2 } } })
  await engine.apiKeys.create({ workspaceId: 'w' })
  const two = [1, 2].map(() => engine.apiKeys.create({ workspaceId: 'w' }))
  expect(await codes(two)).toEqual(['ok', 'too_many_api_keys'])
  expect(await countOf('keepsend_api_keys')).toBe(2)
})

it('a publish of too many deliveries inserts none, alone or with others', async () => {
  const limits = { deliveriesPerPublish: 3 }
  const { engine, addEndpoint, publish, rows } = await rig({ engine: { limits } })
  for (let n = 0; n < 2; n++) await addEndpoint()
  await publish(1)
  await expect(publish(2)).rejects.toMatchObject({ code: 'too_many_deliveries', status: 413 })
  expect(await rows()).toHaveLength(2)
  for (let n = 0; n < 2; n++) await addEndpoint()
  await expect(publish(1)).rejects.toMatchObject({ code: 'too_many_deliveries' })
  await expect(engine.publish({ type: 'a.b', workspaceId: 'w', data: {} })).rejects.toMatchObject({ status: 413 })
  expect(await rows()).toHaveLength(2)
})

it('an event without rows that has too many receivers is dropped and logged', async () => {
  const { addEndpoint, policy, rows, log } = await rig({ engine: { limits: { deliveriesPerPublish: 1 } } })
  for (let n = 0; n < 2; n++) await addEndpoint()
  await consumeBatch(policy, batchOf([{ type: 'a.b', workspaceId: 'w', eventId: newEventId(), data: {} }]))
  expect(await rows()).toEqual([])
  expect(log).toMatchObject([{ level: 'error', fields: { code: 'too_many_deliveries' } }])
})

it('a workspace at its limit of waiting deliveries is refused another publish', async () => {
  const { addEndpoint, publish, rows } = await rig({
    engine: { limits: { waitingPerWorkspace: 2 } },
    messagesPerPublish: 1,
  })
  await addEndpoint()
  await publish(3)
  await expect(publish(1)).rejects.toMatchObject({ code: 'too_many_waiting', status: 429 })
  expect(await rows()).toHaveLength(3)
})
