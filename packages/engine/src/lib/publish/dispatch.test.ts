import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { type QueuedEvent, insertQueuedEvent, keepsend, newEventId, publishEvent } from '../../index.ts'
import { rig, settled } from '../../../test/rig.ts'

const event = {
  type: 'message.created',
  workspaceId: 'w1',
  data: { id: 'm1', text: 'é🙂' },
  timestamp: '2026-11-23T12:00:00Z',
}

describe('publish', () => {
  it('commits the rows before it resolves, and notifies the queue afterwards', async () => {
    const { engine, addEndpoint, count, messages } = await rig()
    await addEndpoint()
    expect(await engine.publish(event)).toMatchObject({ accepted: true, deliveries: 1 })
    expect(await count('pending_events')).toBe(1)
    await settled()
    expect(messages).toHaveLength(1)
  })

  it('is awaited by the Hono helper, so that the row is committed before the response', async () => {
    const { engine, addEndpoint, count } = await rig()
    await addEndpoint()
    const app = new Hono()
    app.use(keepsend(engine))
    app.post('/', async (c) => c.json(await publishEvent(c, event), 201))
    const response = await app.request('/', { method: 'POST' })
    expect([response.status, await response.json(), await count('pending_events')]).toEqual([
      201,
      { eventId: expect.stringMatching(/^evt_/), accepted: true, deliveries: 1 },
      1,
    ])
  })

  it('refuses an invalid event before anything is written', async () => {
    const { engine, messages, count } = await rig()
    await expect(engine.publish({ ...event, type: '' })).rejects.toMatchObject({ code: 'invalid_event' })
    expect([await count('pending_events'), messages]).toEqual([0, []])
  })

  it('succeeds when the queue rejects messages: the rows stay, the failure is counted', async () => {
    const { engine, addEndpoint, count } = await rig({ queue: { send: () => Promise.reject(new Error('down')) } })
    await addEndpoint()
    expect(await engine.publish(event)).toMatchObject({ accepted: true })
    await settled()
    expect([await count('pending_events'), engine.counters]).toEqual([
      1,
      { queueErrors: 1, degraded: 0, notAccepted: 0 },
    ])
  })
})

describe('publish, when the database does not accept the rows', () => {
  it('sends the event to the queue without an outboxId under a fixed id, counts and logs it', async () => {
    const { engine, addEndpoint, readOnly, messages, log, count } = await rig()
    await addEndpoint()
    await readOnly(true)
    const sent = await engine.publish({ ...event, channels: ['room.1'] })
    await settled()
    expect(sent).toEqual({ eventId: expect.stringMatching(/^evt_/), accepted: false, deliveries: 0 })
    expect(messages).toEqual([{ ...event, eventId: sent.eventId, channels: ['room.1'] }])
    expect([engine.counters, await count('pending_events')]).toEqual([
      { queueErrors: 0, degraded: 1, notAccepted: 0 },
      0,
    ])
    expect(log.entries).toMatchObject([{ level: 'error', fields: { eventId: sent.eventId, code: 'not_accepted' } }])
  })

  it('counts and logs an event that the queue rejects as well: it is lost', async () => {
    const { engine, addEndpoint, readOnly, log } = await rig({
      queue: { send: () => Promise.reject(new Error('too large')) },
    })
    await addEndpoint()
    await readOnly(true)
    expect(await engine.publish(event)).toMatchObject({ accepted: false })
    await settled()
    expect(engine.counters).toEqual({ queueErrors: 0, degraded: 1, notAccepted: 1 })
    expect(log.entries.map(({ message }) => message)).toEqual([
      expect.stringContaining('failed to insert the deliveries'),
      'event lost: neither the database nor the queue accepted it',
    ])
    expect(JSON.stringify(log.entries)).not.toContain('é🙂')
  })

  it("lets the consumer insert the rows under the event's id, with the same bytes; a second copy inserts none", async () => {
    const { db, engine, addEndpoint, readOnly, messages, rows } = await rig()
    const { id } = await addEndpoint()
    await readOnly(true)
    const { eventId } = await engine.publish(event)
    await settled()
    await readOnly(false)
    const target = { db, rowsStart: 'dispatched' } as const
    const message = JSON.parse(JSON.stringify(messages[0])) as QueuedEvent
    const inserted = await insertQueuedEvent(target, message)
    const gen = (await rows())[0]?.gen
    expect(inserted).toEqual([
      { type: event.type, workspaceId: 'w1', outboxId: `${eventId}.${id}`, gen, eventId, endpointId: id },
    ])
    expect(await insertQueuedEvent(target, message)).toEqual([])
    await engine.publish({ ...event, id: newEventId() })
    const payloads = (await rows()).map(({ payload }) => payload)
    expect([payloads.length, new Set(payloads).size]).toEqual([2, 1])
  })

  it('refuses to insert a message whose row exists', async () => {
    const { db, count } = await rig()
    const message = { type: 'a', workspaceId: 'w1', outboxId: 'evt_x.ep_1' }
    await expect(insertQueuedEvent({ db, rowsStart: 'now' }, message)).rejects.toMatchObject({ code: 'invalid_option' })
    expect(await count('pending_events')).toBe(0)
  })
})
