// Four engines settle failed deliveries of the same endpoints, while others send what was collected.
import { claimDueEvents } from '@keepsend/outbox'
import pg from 'pg'
import { expect, it, onTestFinished, vi } from 'vitest'
import { openPostgres } from './database.ts'
import { type Rig, rig } from './rig.ts'

const ENDPOINTS = 12
const EVENTS = 50

/** Attempts and settles a few deliveries; returns how many. */
async function work({ engine, db }: Rig): Promise<number> {
  const { claims } = await claimDueEvents(db, { limit: 9 })
  const finished = await Promise.all(
    claims.map(async (claim) => ({ claim, outcome: await engine.worker.deliver(claim, claim.claimedAt) })),
  )
  const { lost } = await engine.worker.settle(finished)
  expect(lost).toEqual([])
  return claims.length
}

it('four engines count each failed delivery once, and none deadlocks', async () => {
  const on = await openPostgres()
  const options = { on, workspaceNotifications: true, answer: () => 400 }
  const made = await rig(options)
  const engines = [made, await rig(options), await rig(options), await rig(options)]
  const ids: string[] = []
  for (let n = 0; n < ENDPOINTS; n++) ids.push((await made.addEndpoint({ eventTypes: ['a'] })).id)
  await made.addEndpoint({ url: 'https://notified.example.com/', eventTypes: ['keepsend.*'] })
  for (let n = 0; n < EVENTS; n++) await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
  // The deliveries of a deleted endpoint fail too, and have no row to lock.
  await made.exec('delete from keepsend_endpoints where id = ?', ids[3] ?? '')

  // One row at a time: an update of several could deadlock with a settle.
  const passMinute = async () => {
    for (const id of ids.slice(6))
      await made.exec('update keepsend_notifications set sent_at = sent_at - 60000 where endpoint_id = ?', id)
  }
  await Promise.all(
    engines.map(async (one) => {
      for (let round = 1; (await work(one)) > 0; round++) {
        if (round % 3 > 0) continue
        await passMinute()
        await one.engine.worker.maintain()
      }
    }),
  )
  await made.exec('update keepsend_notifications set sent_at = sent_at - 60000')
  expect(await made.engine.worker.maintain()).toMatchObject({ more: false })
  await made.engine.worker.maintain()
  expect(await made.select('select * from keepsend_notifications where event_id is null')).toEqual([])

  const notified = (await made.rows())
    .filter(({ type }) => type === 'keepsend.delivery.failed')
    .map(
      ({ payload }) =>
        (JSON.parse(payload) as { data: { endpointId: string; count: number; deliveryIds: string[] } }).data,
    )
  const counts = ids.map((id) => notified.filter(({ endpointId }) => endpointId === id).map(({ count }) => count))
  expect(counts.map((each) => each.reduce((sum, count) => sum + count, 0))).toEqual(ids.map(() => EVENTS))
  // Nothing let the minute of the first endpoints pass.
  expect(counts.slice(0, 6).map(({ length }) => length)).toEqual(Array.from({ length: 6 }, () => 2))
  expect(counts.slice(6).some(({ length }) => length > 2)).toBe(true)
  const listed = notified.flatMap(({ deliveryIds }) => deliveryIds)
  expect(new Set(listed).size).toBe(listed.length)
}, 120_000)

it('a settle and a round of maintenance write the rows of endpoints in the same order', async () => {
  const on = await openPostgres()
  const made = await rig({ on, workspaceNotifications: true, answer: () => 400 })
  const ids = [await made.addEndpoint(), await made.addEndpoint()].map(({ id }) => id).toSorted()
  const [first = '', second = ''] = ids
  await made.addEndpoint({ url: 'https://notified.example.com/', eventTypes: ['keepsend.*'] })
  const publish = () => made.engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
  for (let n = 0; n < 2; n++) {
    await publish()
    await made.work()
  }
  // Both are due, that of the second endpoint for longer.
  await made.exec(
    'update keepsend_notifications set sent_at = sent_at - case endpoint_id when ? then 61000 else 60000 end',
    second,
  )
  await publish()
  const { claims } = await claimDueEvents(made.db, { limit: 10 })
  const finished = await Promise.all(
    claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
  )

  const other = new pg.Client({ connectionString: on.url })
  await other.connect()
  onTestFinished(() => other.end())
  const { rows } = await other.query<{ pid: number }>('select pg_backend_pid() as pid')
  await other.query('begin')
  await other.query('select 1 from keepsend_notifications where endpoint_id = $1 for update', [first])
  const waiting = (count: number) =>
    vi.waitFor(async () => expect(await made.select(WAITING, rows[0]?.pid ?? 0)).toHaveLength(count + 1), {
      timeout: 10_000,
      interval: 10,
    })
  const settling = made.engine.worker.settle(finished)
  await waiting(1)
  const sending = made.engine.worker.maintain()
  await waiting(2)
  await other.query('rollback')
  expect(await settling).toMatchObject({ lost: [] })
  expect(await sending).toMatchObject({ more: false })
})

/** A session, and those that wait for it or for one that waits for it. */
const WAITING = `
  with recursive waiting as (
    select cast(? as integer) as pid
    union select activity.pid from pg_stat_activity as activity, waiting where waiting.pid = any (pg_blocking_pids(activity.pid)))
  select pid from waiting`
