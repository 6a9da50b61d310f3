// Statistics on D1: off unless asked for, by hour and day, for few written rows.
import { env } from 'cloudflare:workers'
import { fromD1 } from '@keepsend/outbox/d1'
import { expect, it } from 'vitest'
import type { EngineOptions } from '@keepsend/engine'
import { metered } from './metered.ts'
import { rig } from './rig.ts'

const HOUR = 3_600_000
// A Tuesday, 12:00.
const NOON = Date.UTC(2027, 2, 2, 12)

async function recorded(history: EngineOptions['history']) {
  const meter = metered(env.DB)
  const parts = await rig({ engine: { history }, wrap: () => fromD1(meter.d1) })
  return {
    ...parts,
    async setClock(ms: number) {
      await env.DB.exec('drop view keepsend_clock')
      await env.DB.exec(`create view keepsend_clock as select ${ms} as ms`)
    },
    async add(at: number, endpointId: string, count: number) {
      const values = Array.from(
        { length: count },
        (_, n) =>
          `(${BigInt(at) * 4096n + BigInt(n)}, 'd${at}${endpointId}${n}', 1, 'w', '${endpointId}', 'a.b', 1, 'publish', 1, 50000, 'delivered', '')`,
      )
      await env.DB.exec(
        `insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, url) values ${values.join(', ')}`,
      )
    },
    async maintain() {
      meter.read()
      const { countedAttempts } = await parts.engine.worker.maintain()
      return { countedAttempts, written: meter.read().rowsWritten }
    },
  }
}

it('counts by hour and day, once an hour, for one row of each endpoint, of the workspace and of all', async () => {
  const made = await recorded({ attempts: 'all', statistics: true })
  await made.setClock(NOON)
  // The hourly writes of maintenance without attempts.
  await made.maintain()
  await made.add(NOON - 90 * 60_000, 'ep_1', 20)
  await made.add(NOON - 61 * 60_000, 'ep_2', 10)
  await made.add(NOON - 60_000, 'ep_1', 5)
  // Two endpoints, the workspace and all in one hour; one endpoint, the workspace and all in the next; and the position of the pass.
  expect(await made.maintain()).toEqual({ countedAttempts: 35, written: 4 + 3 + 1 })
  expect(await made.maintain()).toEqual({ countedAttempts: 0, written: 0 })
  await made.add(NOON + 1000, 'ep_1', 7)
  await made.setClock(NOON + 59 * 60_000)
  expect(await made.maintain()).toEqual({ countedAttempts: 0, written: 0 })
  const since = NOON - 2 * HOUR
  const delivered = async (by: 'hour' | 'day', endpointId?: string): Promise<number[]> => {
    const { buckets, complete } = await made.engine.statistics.series('w', { by, since, endpointId })
    expect(complete).toBe(true)
    return buckets.map((bucket) => bucket.delivered)
  }
  expect(await delivered('hour')).toEqual([30, 5, 7])
  expect(await delivered('hour', 'ep_2')).toEqual([10, 0, 0])
  expect(await delivered('day')).toEqual([42])
  await made.add(NOON + 13 * HOUR, 'ep_1', 1)
  await made.setClock(NOON + 15 * HOUR)
  expect(await made.maintain()).toMatchObject({ countedAttempts: 8 })
  const { results } = await env.DB.prepare(
    `select span, delivered from keepsend_statistics where workspace_id = '' order by span, at`,
  ).all()
  expect(results).toEqual([
    { span: 'day', delivered: 42 },
    { span: 'hour', delivered: 30 },
    { span: 'hour', delivered: 5 },
    { span: 'hour', delivered: 7 },
    { span: 'hour', delivered: 1 },
  ])
  const summary = await made.engine.statistics.summary('w', { since, endpointIds: ['ep_1', 'ep_2'] })
  expect(summary.endpoints).toMatchObject([
    { delivered: 33, lastError: null },
    { delivered: 10, p50Ms: expect.closeTo(50, 0) as number },
  ])
})

it('has no minutes, and says so', async () => {
  const made = await recorded({ attempts: 'all', statistics: true })
  await expect(made.engine.statistics.series('w', { by: 'minute', since: Date.now() })).rejects.toMatchObject({
    code: 'not_retained',
    message: 'this database has no statistics by minute: ask by hour or day',
  })
})

it('is off unless asked for', async () => {
  const made = await recorded({ attempts: 'all' })
  await made.setClock(NOON + 2 * HOUR)
  await made.maintain()
  await made.add(NOON, 'ep_1', 5)
  expect(await made.maintain()).toEqual({ countedAttempts: 0, written: 0 })
  await expect(made.engine.statistics.series('w', { by: 'hour', since: NOON })).rejects.toMatchObject({
    code: 'not_retained',
  })
})
