// How many rows a list, a replay, a deletion and the health check read, and write, on D1, by its own count, beside other workspaces' rows.
import { env } from 'cloudflare:workers'
import { type Engine, createEngine } from '@keepsend/engine'
import type { OutboxDatabase } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import { fromD1 } from '@keepsend/outbox/d1'
import { expect, it } from 'vitest'
import { TEST_KEYS } from './keys.ts'
import { metered } from './metered.ts'
import { rig } from './rig.ts'

const CHUNK = 100_000

/** Rows of a workspace, alternately ready, waiting, held, failed and completed, of 10 endpoints. */
async function fill(db: OutboxDatabase, workspaceId: string, prefix: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += CHUNK) {
    await db.run(sqlText`
      insert into pending_events (id, workspace_id, event_type, endpoint_id, status, hold_reason, due_at, ready, gen, created_at, completed_at, payload)
      with recursive n (value) as (select cast(${from + 1} as integer) union all select value + 1 from n where value < ${Math.min(count, from + CHUNK)})
      select ${prefix} || '-7000-8000-' || printf('%012d', value) || '.ep_' || ${workspaceId} || (value % 10), ${workspaceId}, 'a.b',
        'ep_' || ${workspaceId} || (value % 10),
        case value % 5 when 2 then 'held' when 3 then 'failed' when 4 then 'completed' else 'pending' end,
        case value % 5 when 2 then 'replay' end,
        case value % 5 when 0 then 1 when 1 then 9000000000000 + value end, case value % 5 when 0 then 1 else 0 end, 1, 1,
        case when value % 5 > 2 then value end, '{}'
      from n`)
  }
}

async function beside(neighbours: number) {
  const meter = metered(env.DB)
  const { engine: dispatching } = await rig({ wrap: () => fromD1(meter.d1) })
  const db = fromD1(meter.d1)
  await fill(db, 'w0', 'evt_01900000-0000', neighbours / 2)
  await fill(db, 'w1', 'evt_01910000-0000', 500)
  await fill(db, 'w2', 'evt_01920000-0000', neighbours / 2)
  for (const id of ['ep_w12', endpointId]) {
    const { endpoint } = await dispatching.endpoints.create('w1', { url: 'https://hooks.example.com/' })
    await db.run(sqlText`update keepsend_endpoints set id = ${id} where id = ${endpoint.id}`)
  }
  // As on Node: rows are ready in their lanes.
  const inLine = createEngine({
    db,
    queue: { send: () => Promise.resolve() },
    secrets: TEST_KEYS,
    // The rows failed in 1970.
    failedRetentionMs: 1e14,
  })
  meter.read()
  return { db, inLine, dispatching, read: meter.read }
}

const EVENT = 'evt_01910000-0000-7000-8000-000000000250'
const endpointId = 'ep_w13'

/** Each call, and the rows at most that it may read: an index entry, its row, and the row in a table of the statement are three. */
const CALLS: [
  name: string,
  call: (engines: Record<'inLine' | 'dispatching', Engine>) => Promise<unknown>,
  most: number,
][] = [
  ['a list', ({ inLine }) => inLine.deliveries.list('w1', { limit: 50 }), 9000],
  ['its next page', ({ inLine }) => inLine.deliveries.list('w1', { limit: 50, before: EVENT }), 9000],
  ['a list of pending ones', ({ inLine }) => inLine.deliveries.list('w1', { limit: 50, status: 'pending' }), 14_000],
  ['a list of failed ones', ({ inLine }) => inLine.deliveries.list('w1', { limit: 50, status: 'failed' }), 5000],
  ['a list of one endpoint', ({ inLine }) => inLine.deliveries.list('w1', { limit: 50, endpointId }), 14_000],
  ['a list of one type', ({ inLine }) => inLine.deliveries.list('w1', { limit: 50, type: 'c.d' }), 14_000],
  ['a list of one event', ({ inLine }) => inLine.deliveries.list('w1', { limit: 50, eventId: EVENT }), 20],
  ['a list of events', ({ inLine }) => inLine.deliveries.listEvents('w1', { limit: 50 }), 14_000],
  ['a list where rows are dispatched', ({ dispatching }) => dispatching.deliveries.list('w1', { limit: 50 }), 9000],
  ['the deliveries of an event', ({ inLine }) => inLine.deliveries.listByEvent('w1', EVENT), 20],
  ['the health check', async ({ inLine }) => inLine.routes.request('/health'), 500],
  [
    'a replay',
    async ({ inLine }) => {
      const { planned } = await inLine.replays.create('w1', { what: 'failed', endpointId })
      expect([planned, (await inLine.worker.stepReplays()).steps]).toMatchObject([50, [{ endpointId }]])
    },
    2000,
  ],
  ['a deletion', ({ inLine }) => inLine.endpoints.delete('w1', 'ep_w12'), 1000],
]

it.each([1000, 1_000_000])(
  'beside %i rows of a neighbour each call reads a bounded number of rows',
  async (neighbours) => {
    const { read, ...engines } = await beside(neighbours)
    for (const [name, call, most] of CALLS) {
      read()
      await call(engines)
      expect(read().rowsRead, name).toBeLessThanOrEqual(most)
    }
  },
  600_000,
)
