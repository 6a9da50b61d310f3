// The whole path through the platform's own broker: requests to the Worker of worker.ts, its queue and consumer, and the receiver,
// which verifies arrivals. Only the cron is called by the test.
import { TEST_KEYS } from './keys.ts'
import { createScheduledController, reset } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { createEngine, migrateEngine } from '@keepsend/engine'
import { fromD1 } from '@keepsend/outbox/d1'
import { expect, inject, it, vi } from 'vitest'
import { CloudflareEventQueue } from '../../src/index.ts'
import type { Answer, Seen } from './receiver.ts'
import { LOST_MS, PATIENCE, eventIdFrom, standingRows } from './rig.ts'
import worker from './worker.ts'

const db = fromD1(env.DB)

/** A fresh database behind the Worker, and a key to its routes. */
async function newWorkspace() {
  await reset()
  await migrateEngine(db)
  const engine = createEngine({ db, queue: new CloudflareEventQueue({ queue: env.WEBHOOKS }), secrets: TEST_KEYS })
  const { key } = await engine.apiKeys.create({ workspaceId: 'w' })

  async function post<T>(path: string, body: unknown): Promise<T> {
    const response = await exports.default.fetch(`http://app/webhooks${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(response.ok).toBe(true)
    return response.json()
  }

  return {
    engine,
    publish: (event: object) => post<{ id: string }>('/events', event),
    rows: () => standingRows(db),
    addEndpoint: async (answer: Answer, input: object = {}) => {
      const url = `${inject('receiver')}/hook/${crypto.randomUUID()}`
      const { secret } = await post<{ secret: string }>('/endpoints', { url, ...input })
      await fetch(url, { method: 'PUT', body: JSON.stringify({ ...answer, secret }) })
      return { arrivals: async () => (await (await fetch(url)).json<Seen>()).arrivals }
    },
  }
}

it('an event published over HTTP arrives signed, and its row is deleted', async () => {
  const { addEndpoint, publish, rows } = await newWorkspace()
  const hook = await addEndpoint({ status: 200 })
  const { id } = await publish({ type: 'message.created', data: { text: 'hello' } })
  await vi.waitFor(async () => expect(await hook.arrivals()).toHaveLength(1), PATIENCE)
  const [arrival] = await hook.arrivals()
  expect(arrival).toMatchObject({ id, verified: true })
  expect(JSON.parse(arrival?.body ?? '')).toMatchObject({ type: 'message.created', data: { text: 'hello' } })
  await vi.waitFor(async () => expect(await rows()).toEqual([]), PATIENCE)
})

it('thirty events for two endpoints arrive once each', async () => {
  const { addEndpoint, publish, rows } = await newWorkspace()
  const hooks = [await addEndpoint({ status: 200 }), await addEndpoint({ status: 200 })]
  const published = await Promise.all(
    Array.from({ length: 30 }, (_, n) => publish({ type: 'message.created', data: { n } })),
  )
  await vi.waitFor(async () => expect(await rows()).toEqual([]), PATIENCE)
  const ids = published.map(({ id }) => id).sort()
  for (const hook of hooks) {
    const arrivals = await hook.arrivals()
    expect(arrivals.map(({ id }) => id).sort()).toEqual(ids)
    expect(arrivals.every(({ verified }) => verified)).toBe(true)
  }
})

it('a failed attempt is retried by a delayed message, under the same id, without the cron', async () => {
  const { addEndpoint, publish, rows } = await newWorkspace()
  const hook = await addEndpoint({ status: 500, next: { status: 200 } }, { retrySchedule: [1] })
  const { id } = await publish({ type: 'message.created', data: {} })
  await vi.waitFor(async () => expect(await rows()).toEqual([]), PATIENCE)
  expect(await hook.arrivals()).toMatchObject([
    { id, verified: true },
    { id, verified: true },
  ])
})

it('a delivery fails after the maximum attempts of its endpoint', async () => {
  const { addEndpoint, publish, rows } = await newWorkspace()
  const hook = await addEndpoint({ status: 500 }, { retrySchedule: [1] })
  await publish({ type: 'message.created', data: {} })
  await vi.waitFor(
    async () => expect(await rows()).toMatchObject([{ status: 'failed', attempts: 2, lastStatus: 500 }]),
    PATIENCE,
  )
  expect(await hook.arrivals()).toHaveLength(2)
})

it('an event whose first message was lost is dispatched by the cron, and arrives', async () => {
  const { addEndpoint, engine, rows } = await newWorkspace()
  const hook = await addEndpoint({ status: 200 })
  const event = { id: eventIdFrom(LOST_MS), type: 'message.created', workspaceId: 'w', data: {} }
  // Committed, and the queue was not notified.
  await db.atomic(engine.publishStatements(event))
  expect(await rows()).toMatchObject([{ dueAt: null, moves: 0 }])
  await worker.scheduled(createScheduledController(), env)
  await vi.waitFor(async () => expect(await rows()).toEqual([]), PATIENCE)
  expect(await hook.arrivals()).toMatchObject([{ id: event.id, verified: true }])
})
