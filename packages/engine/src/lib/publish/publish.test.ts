import { describe, expect, it } from 'vitest'
import { newEventId } from '../../index.ts'
import { moves, rig } from '../../../test/rig.ts'

const event = (parts: Record<string, unknown> = {}) => ({
  type: 'message.created',
  workspaceId: 'w1',
  data: { n: 1 },
  ...parts,
})

describe('the receivers of an event', () => {
  it.each([
    ['message.created', ['message.created'], 1],
    ['message.created', ['message.*'], 1],
    ['message.created', ['*'], 1],
    ['message.created', ['message.*', 'message.created', '*'], 1],
    ['message.created', ['message.deleted', 'channel.*'], 0],
    ['message.created', ['message'], 0],
    ['message.created', ['Message.created'], 0],
    ['message', ['message.*'], 0],
    ['messages.created', ['message.*'], 0],
    ['message.reaction.added', ['message.*'], 1],
    ['message.reaction.added', ['message.reaction.*'], 1],
    ['message.reaction.added', ['message.created.*'], 0],
  ])('%s under %j makes %i row', async (type, eventTypes, rows) => {
    const { engine, addEndpoint, count } = await rig()
    await addEndpoint({ eventTypes })
    expect(await engine.publish(event({ type }))).toMatchObject({ accepted: true, deliveries: rows })
    expect(await count('pending_events')).toBe(rows)
  })

  it.each([
    [[], [], 1],
    [[], ['room.1'], 1],
    [['room.1'], [], 0],
    [['room.1'], ['room.1'], 1],
    [['room.1'], ['room.2'], 0],
    [['room.1', 'room.2'], ['room.2', 'room.1'], 1],
    [['room.*'], ['room.2'], 1],
    [['*'], ['room.2'], 1],
    [['*'], [], 1],
  ])('an endpoint on channels %j and an event on %j make %i row', async (listens, channels, rows) => {
    const { engine, addEndpoint } = await rig()
    await addEndpoint({ channels: listens })
    expect(await engine.publish(event({ channels }))).toMatchObject({ deliveries: rows })
  })

  it('each subscribed endpoint gets its own row, named by event and endpoint', async () => {
    const { engine, addEndpoint, rows } = await rig()
    const endpoints = [await addEndpoint(), await addEndpoint({ eventTypes: ['message.*'], retrySchedule: [1, 2] })]
    await addEndpoint({ eventTypes: ['other.thing'] })
    const { eventId } = await engine.publish(event())
    const made = await rows()
    expect(made.map(moves)).toEqual([0, 0])
    expect(made).toMatchObject([
      {
        id: `${eventId}.${endpoints[0]?.id}`,
        endpointId: endpoints[0]?.id,
        maxAttempts: 10,
        attempts: 0,
        status: 'pending',
      },
      {
        id: `${eventId}.${endpoints[1]?.id}`,
        endpointId: endpoints[1]?.id,
        maxAttempts: 3,
        attempts: 0,
        status: 'pending',
      },
    ])
    expect(new Set((await rows()).map(({ payload }) => payload)).size).toBe(1)
  })

  it('endpoints of another workspace get none', async () => {
    const { engine, addEndpoint } = await rig()
    await addEndpoint({ workspaceId: 'w2' })
    expect(await engine.publish(event())).toMatchObject({ accepted: true, deliveries: 0 })
    expect(await engine.publish(event({ workspaceId: 'w2' }))).toMatchObject({ deliveries: 1 })
  })

  it("a subscription that names another workspace's endpoint has no effect", async () => {
    const { engine, addEndpoint, exec, count } = await rig()
    await addEndpoint({ workspaceId: 'w2' })
    await exec("update keepsend_subscriptions set workspace_id = 'w1'")
    for (const workspaceId of ['w1', 'w2']) await engine.publish(event({ workspaceId }))
    expect(await count('pending_events')).toBe(0)
  })

  it('without a subscriber there is no row and no message', async () => {
    const { engine, messages, count } = await rig()
    expect(await engine.publish(event())).toMatchObject({ accepted: true, deliveries: 0 })
    expect([await count('pending_events'), messages]).toEqual([0, []])
  })

  it('a removed subscription no longer matches, a new one does', async () => {
    const { engine, addEndpoint } = await rig()
    const { id } = await addEndpoint({ eventTypes: ['a'] })
    await engine.endpoints.update('w1', id, { eventTypes: ['b.*'], channels: ['c'] })
    expect(await engine.publish(event({ type: 'a', channels: ['c'] }))).toMatchObject({ deliveries: 0 })
    expect(await engine.publish(event({ type: 'b.x', channels: ['c'] }))).toMatchObject({ deliveries: 1 })
  })
})

describe('the set of receivers is frozen with the change', () => {
  it('a later endpoint gets no earlier event, and a deleted one leaves its row', async () => {
    const { engine, addEndpoint, rows } = await rig()
    const early = await addEndpoint()
    await engine.commit({ writes: [], events: [event()] })
    await addEndpoint()
    await engine.endpoints.update('w1', early.id, { eventTypes: ['other'] })
    expect((await rows()).map(({ endpointId }) => endpointId)).toEqual([early.id])
  })

  it('an endpoint inserted by the writes of the same transaction is a receiver', async () => {
    const { engine, addEndpoint, rows } = await rig()
    const { id } = await addEndpoint()
    await engine.endpoints.setStatus('w1', id, 'disabled')
    const enable = { sql: "update keepsend_endpoints set status = 'enabled' where id = ?", params: [id] }
    await engine.commit({ writes: [enable], events: [event()] })
    expect(await rows()).toHaveLength(1)
  })
})

describe('the statements', () => {
  it('are one on Postgres and two on SQLite, however many endpoints there are', async () => {
    const statements: number[] = []
    const { db, engine, addEndpoint, count } = await rig({
      wrap: (on) => ({ ...on, atomic: (list) => (statements.push(list.length), on.atomic(list)) }),
    })
    for (let made = 0; made < 20; made++) await addEndpoint()
    statements.length = 0
    await engine.commit({ writes: [], events: [event()] })
    expect([statements, await count('pending_events')]).toEqual([[db.dialect.name === 'postgres' ? 1 : 2], 20])
  })

  it('the same event id again inserts rows only for endpoints that were added since', async () => {
    const { engine, addEndpoint, messages, rows } = await rig()
    const id = newEventId()
    await addEndpoint()
    expect(await engine.publish(event({ id }))).toMatchObject({ eventId: id, deliveries: 1 })
    const [before] = await rows()
    expect(await engine.publish(event({ id, data: { n: 2 } }))).toMatchObject({ eventId: id, deliveries: 0 })
    expect([await rows(), messages.length]).toEqual([[before], 1])
    await addEndpoint()
    expect(await engine.publish(event({ id }))).toMatchObject({ deliveries: 1 })
  })

  it('insert rows that are due now for a polling queue, and dispatched ones for a queue that makes the first attempt', async () => {
    for (const [rowsStart, due] of [
      ['now', 'number'],
      ['dispatched', 'object'],
    ] as const) {
      const { engine, addEndpoint, rows } = await rig({ queue: { rowsStart, async send() {} } })
      await addEndpoint()
      await engine.publish(event())
      expect(typeof (await rows())[0]?.dueAt).toBe(due)
    }
  })

  it('make a dispatched row due immediately if its id is far off the clock, because no sweep would find it', async () => {
    const { engine, addEndpoint, rows } = await rig({ queue: { rowsStart: 'dispatched', async send() {} } })
    await addEndpoint()
    await engine.publish(event({ id: `evt_01000000-0000-7${newEventId().slice(19)}` }))
    expect((await rows())[0]?.dueAt).toBeGreaterThan(0)
  })
})
