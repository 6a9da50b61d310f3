import { claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { rig } from '../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const DAY = 86_400_000
const WEEK = 7 * DAY

/** An engine with an endpoint, and a function that makes the rows older; ids stay as they are. */
async function aged(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig(options)
  const { id } = await made.addEndpoint()
  const age = async (column: string, ms: number) => {
    await made.exec(`update pending_events set ${column} = ${column} - ?`, ms)
    await made.exec('update keepsend_sweep_pass set expiry_ended_at = 0')
  }
  return { ...made, id, age }
}

describe('a delivery that is too old', () => {
  it('fails as expired in a round of maintenance, held or pending, with one warning that says how many', async () => {
    const { engine, age, id, rows, log } = await aged()
    await engine.publish(event)
    await engine.endpoints.setStatus('w1', id, 'disabled')
    await engine.publish(event)
    await age('created_at', WEEK - 60_000)
    expect(await engine.worker.maintain()).toMatchObject({ expired: 0 })
    await age('created_at', 60_000)
    expect(await engine.worker.maintain()).toMatchObject({ expired: 2, more: false })
    const failed = await rows()
    expect(failed).toMatchObject([
      { status: 'failed', lastError: 'expired' },
      { status: 'failed', lastError: 'expired' },
    ])
    const warnings = log.entries.filter(({ level, fields }) => level === 'warn' && 'expired' in fields)
    expect(warnings).toMatchObject([{ fields: { expired: 2, maxAgeMs: WEEK } }])
    expect(await engine.worker.maintain()).toMatchObject({ expired: 0 })
  })

  it('gets no attempt if it is claimed first', async () => {
    const { engine, age, work, rows, sender } = await aged()
    await engine.publish(event)
    await age('created_at', WEEK + 1)
    expect(await work()).toMatchObject([{ kind: 'fail', error: expect.stringMatching(/^expired: /) as string }])
    expect(sender.requests).toEqual([])
    expect(await rows()).toMatchObject([{ status: 'failed', lastError: expect.stringMatching(/^expired: /) as string }])
  })

  it('is settled by its worker while the claim is current', async () => {
    const { db, engine, age, rows } = await aged()
    await engine.publish(event)
    const { claims } = await claimDueEvents(db, { limit: 1 })
    await age('created_at', 2 * WEEK)
    expect(await engine.worker.maintain()).toMatchObject({ expired: 0 })
    const settled = await engine.worker.settle(
      claims.map((claim) => ({ claim, outcome: { kind: 'complete', httpStatus: 200 } })),
    )
    expect(settled.lost).toEqual([])
    expect(await rows()).toEqual([])
  })

  it('can be replayed, and may then take maxAgeMs again', async () => {
    const { engine, age, rows, work } = await aged()
    await engine.publish(event)
    await age('created_at', 2 * WEEK)
    await engine.worker.maintain()
    const [expired] = await rows()
    await engine.deliveries.replay('w1', expired?.id ?? '')
    expect(await engine.worker.maintain()).toMatchObject({ expired: 0 })
    expect(await work()).toMatchObject([{ kind: 'complete' }])
  })

  it('is notified to the operator like any other failed delivery, in bounded rounds', async () => {
    const { engine, addEndpoint, age, rows } = await aged({ operatorWorkspaceId: 'ops' })
    await addEndpoint({ workspaceId: 'ops', eventTypes: ['keepsend.*'] })
    for (let count = 0; count < 60; count++) await engine.publish(event)
    await age('created_at', WEEK + 1)
    expect(await engine.worker.maintain()).toMatchObject({ expired: 50, more: true })
    expect(await engine.worker.maintain()).toMatchObject({ expired: 10, more: false })
    const notifications = (await rows()).filter(({ workspaceId }) => workspaceId === 'ops')
    expect(new Set(notifications.map(({ payload }) => JSON.parse(payload).data.deliveryId)).size).toBe(60)
    expect(JSON.parse(notifications[0]?.payload ?? '')).toMatchObject({
      type: 'keepsend.delivery.failed',
      data: { workspaceId: 'w1', eventType: 'message.created', error: 'expired' },
    })
    // An expired notification makes no other notification.
    await age('created_at', 2 * WEEK)
    await engine.worker.maintain()
    await engine.worker.maintain()
    expect((await rows()).filter(({ workspaceId }) => workspaceId === 'ops')).toHaveLength(60)
  })
})

describe('failed rows', () => {
  it('are retained for maxAgeMs, and completed rows of an earlier version as long', async () => {
    const { engine, age, work, rows, exec } = await aged({ answer: () => 404 })
    await engine.publish(event)
    await work()
    await exec(`update pending_events set status = 'completed', last_error = null`)
    await engine.publish(event)
    await work()
    await age('completed_at', WEEK - 60_000)
    expect(await engine.worker.maintain()).toMatchObject({ deletedRows: 0 })
    expect((await rows()).map(({ status }) => status)).toEqual(['completed', 'failed'])
    await age('completed_at', 60_001)
    expect(await engine.worker.maintain()).toMatchObject({ deletedRows: 2 })
    expect(await rows()).toEqual([])
  })

  it('are retained for failedRetentionMs if that is set', async () => {
    const { engine, age, work, rows } = await aged({ answer: () => 404, failedRetentionMs: 1000 })
    await engine.publish(event)
    await work()
    await age('completed_at', 1001)
    expect(await engine.worker.maintain()).toMatchObject({ deletedRows: 1 })
    expect(await rows()).toEqual([])
  })
})

describe('maxAgeMs', () => {
  it('must exceed the longest time that the waits of the schedule can take', async () => {
    await expect(rig({ maxAgeMs: 3 * DAY })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/^maxAgeMs must be .* above 290675500,.* found 259200000$/) as string,
    })
    await expect(rig({ retrySchedule: Array.from({ length: 7 }, () => 86_400) })).rejects.toThrow(/retrySchedule/)
    await expect(rig({ maxAgeMs: 366 * DAY })).rejects.toThrow(/31536000000/)
    await expect(rig({ maxAgeMs: 1101, retrySchedule: [1] })).resolves.toBeDefined()
  })

  it('must exceed the longest time that the waits of any endpoint can take', async () => {
    const { addEndpoint, engine, id } = await aged()
    const week = Array.from({ length: 7 }, () => 86_400)
    const refused = { code: 'invalid_endpoint', message: expect.stringContaining('604800000 ms') as string }
    await expect(addEndpoint({ retrySchedule: week })).rejects.toMatchObject(refused)
    await expect(engine.endpoints.update('w1', id, { retrySchedule: week })).rejects.toMatchObject(refused)
    await engine.endpoints.update('w1', id, { retrySchedule: week.slice(1) })
  })
})
