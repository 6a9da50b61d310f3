import { describe, expect, it } from 'vitest'
import { rig } from './rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const DAY = 86_400_000

/** An endpoint that was disabled by a person. */
async function disabled(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig(options)
  const { id } = await made.addEndpoint()
  await made.engine.endpoints.setStatus('w1', id, 'disabled')
  return { ...made, id, endpoint: () => made.engine.endpoints.get('w1', id) }
}

describe('a disabled endpoint', () => {
  it('collects: published rows are held, not dispatched, and sent when it is enabled', async () => {
    const { engine, addEndpoint, work, rows, messages, sender, id } = await disabled()
    const { id: healthy } = await addEndpoint()
    for (const count of [1, 2, 3]) {
      expect(await engine.publish({ ...event, data: { count } })).toMatchObject({ accepted: true, deliveries: 2 })
    }
    expect(messages.map(({ endpointId }) => endpointId)).toEqual([healthy, healthy, healthy])
    expect(await work()).toHaveLength(3)
    const held = await rows()
    expect(held).toHaveLength(3)
    for (const row of held) {
      expect(row).toMatchObject({ endpointId: id, status: 'held', holdReason: 'endpoint_disabled', dueAt: null })
      expect([row.heldAt, row.gen, row.attempts]).toEqual([row.createdAt, row.createdAt, 0])
    }

    await engine.endpoints.setStatus('w1', id, 'enabled')
    expect(messages.slice(3).map(({ outboxId }) => outboxId)).toEqual(held.map((row) => row.id))
    expect(await work()).toMatchObject([{ kind: 'complete' }, { kind: 'complete' }, { kind: 'complete' }])
    expect(await rows()).toEqual([])
    expect(new Set(sender.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(3)
  })

  it('collects within a commit of the host, and its rows are not dispatched', async () => {
    const { engine, rows, messages } = await disabled()
    const { eventIds } = await engine.commit({ writes: [], events: [event, event] })
    expect((await rows()).map(({ status }) => status)).toEqual(['held', 'held'])
    await engine.dispatch(eventIds[0] ?? '')
    expect(messages).toEqual([])
  })

  it('collects after its receiver answered 410 once, and gets all rows when it is enabled', async () => {
    let answer = 410
    const { engine, addEndpoint, work, rows } = await rig({ answer: () => answer })
    const { id } = await addEndpoint()
    await engine.publish(event)
    await work()
    expect(await engine.endpoints.get('w1', id)).toMatchObject({ status: 'disabled', disabledAt: expect.any(Number) })
    for (let count = 0; count < 5; count++) await engine.publish(event)
    answer = 200
    await engine.endpoints.setStatus('w1', id, 'enabled')
    expect(await engine.endpoints.get('w1', id)).toMatchObject({ disabledAt: null, disabledReason: null })
    expect((await work()).map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'complete'))
    expect(await rows()).toMatchObject([{ status: 'failed', lastStatus: 410 }])
  })

  it('collects for maxAgeMs, then nothing until it is enabled', async () => {
    const { engine, exec, count, endpoint, id } = await disabled({ maxAgeMs: 4 * DAY })
    const { disabledAt } = await endpoint()
    const since = (ms: number) => exec('update keepsend_endpoints set disabled_at = ?', Date.now() - ms)
    await since(4 * DAY - 60_000)
    expect(await engine.publish(event)).toMatchObject({ deliveries: 1 })
    await since(4 * DAY)
    expect(await engine.publish(event)).toMatchObject({ accepted: true, deliveries: 0 })
    expect(await count('pending_events')).toBe(1)
    expect(disabledAt).toBeGreaterThan(Date.now() - 60_000)
    await engine.endpoints.setStatus('w1', id, 'enabled')
    expect(await engine.publish(event)).toMatchObject({ deliveries: 1 })
  })

  it('collects from the first disabling on; a second one changes nothing', async () => {
    const { engine, exec, endpoint, id } = await disabled()
    await exec('update keepsend_endpoints set disabled_at = 1000')
    await engine.endpoints.setStatus('w1', id, 'disabled')
    expect(await endpoint()).toMatchObject({ disabledAt: 1000 })
  })

  it('collects nothing that it does not subscribe to, and nothing after it was deleted', async () => {
    const { engine, count, id } = await disabled()
    await engine.endpoints.update('w1', id, { eventTypes: ['invoice.paid'] })
    expect(await engine.publish(event)).toMatchObject({ deliveries: 0 })
    await engine.endpoints.delete('w1', id)
    expect(await engine.publish({ ...event, type: 'invoice.paid' })).toMatchObject({ deliveries: 0 })
    expect(await count('pending_events')).toBe(0)
  })

  it('that is enabled between the read of a publish and its commit gets the row after the next maintenance', async () => {
    const { engine, exec, rows, work, id } = await disabled()
    await engine.publish(event)
    // The state after a fan-out on Postgres that read before the enabling and committed after it.
    await exec(
      "update keepsend_endpoints set status = 'enabled', disabled_at = null, resume_at = null where id = ?",
      id,
    )
    expect(await engine.worker.resumeHeld()).toMatchObject({ resumed: [] })
    expect(await engine.worker.maintain()).toMatchObject({ orphanedHolds: 1 })
    expect((await engine.worker.resumeHeld()).resumed).toHaveLength(1)
    await work()
    expect(await rows()).toEqual([])
  })
})
