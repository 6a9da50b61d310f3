// Four engines settle failed deliveries of the same endpoints, while others send what was collected.
import { claimDueEvents } from '@keepsend/outbox'
import { expect, it } from 'vitest'
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
