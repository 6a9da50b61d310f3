// What recorded events cost on D1, by D1's own count, and that each works there as on the other databases.
import { env } from 'cloudflare:workers'
import { newEventId } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it } from 'vitest'
import { type EngineOptions, createEngine } from '@keepsend/engine'
import { InlineEventQueue, consumeBatch, createFetchSender, sweep } from '../../src/index.ts'
import { TEST_KEYS } from './keys.ts'
import { metered } from './metered.ts'
import { batchOf, rig } from './rig.ts'

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

async function recorded(history: EngineOptions['history']) {
  const meter = metered(env.DB)
  const parts = await rig({ engine: { history }, wrap: () => fromD1(meter.d1) })
  const count = async (table: string) =>
    (await env.DB.prepare(`select count(*) as n from ${table}`).first('n')) as number
  let published = 0
  const publish = async (id = newEventId()) => {
    const dispatched: Promise<void>[] = []
    // Each of another type: the engine remembers how many receivers the last one had.
    const type = `type.n${published++}`
    const event = { type, workspaceId: 'w', data: { n: 1 }, channels: ['a'], id, traceparent: TRACEPARENT }
    const result = await parts.engine.publish(event, (work) => void dispatched.push(work))
    await Promise.all(dispatched)
    return result
  }
  return {
    ...parts,
    count,
    publish,
    /** The rows that a publish writes. */
    async written(id?: string) {
      meter.read()
      await publish(id)
      return meter.read().rowsWritten
    },
    deliver: () => consumeBatch(parts.policy, batchOf(parts.sent.splice(0).map(({ body }) => body))),
  }
}

describe('events on D1', () => {
  it.each<[EngineOptions['history'], number, number, number]>([
    [false, 0, 1, 6],
    [true, 0, 1, 6],
    [{ events: true }, 3, 4, 8],
    // A row for each declared value of the event.
    [{ events: true, search: ['data.n'] }, 4, 5, 9],
    [{ events: true, search: ['data.n', 'type', 'data.other'] }, 5, 6, 10],
  ])('with history %j a publish to 0, 1 and 5 endpoints writes %i, %i and %i rows', async (history, ...written) => {
    const made = await recorded(history)
    const seen = [await made.written()]
    await made.addEndpoint()
    seen.push(await made.written())
    for (let n = 0; n < 4; n++) await made.addEndpoint()
    seen.push(await made.written())
    expect(seen).toEqual(written)
  })

  it('are recorded once, also if they are published again, and listed with their counts', async () => {
    const made = await recorded({ events: true, attempts: 'all' })
    const hook = await made.addEndpoint()
    const id = newEventId()
    expect([await made.written(id), await made.written(id)]).toEqual([4, 0])
    await made.addEndpoint({ status: 500 })
    expect(await made.written(id)).toBe(1)
    await made.deliver()
    expect([await made.count('keepsend_events'), await made.count('keepsend_payloads')]).toEqual([1, 1])
    const { rows } = await made.engine.events.list('w', { limit: 10 })
    expect(rows).toMatchObject([{ id, completed: 1, pending: 1, held: 0, failed: 0 }])
    expect(await made.engine.events.get('w', id)).toMatchObject({ channels: ['a'], traceId: TRACEPARENT.slice(3, 35) })
    expect(await hook.arrivals()).toHaveLength(1)
  })

  it('are recorded from a message that has no rows, by a consumer and by the inline queue', async () => {
    const made = await recorded({ events: true })
    const message = { type: 'a.b', workspaceId: 'w', data: {}, eventId: newEventId(), traceparent: TRACEPARENT }
    for (let n = 0; n < 2; n++) await consumeBatch(made.policy, batchOf([message]))
    const { rows } = await made.engine.events.list('w', { limit: 10, traceId: TRACEPARENT.slice(3, 35) })
    expect(rows).toMatchObject([{ id: message.eventId }])
    const queue = new InlineEventQueue()
    const how = { sender: createFetchSender(), secrets: TEST_KEYS, deadlineMs: 1000, maxDeadlineMs: 1000 }
    queue.start(createEngine({ db: made.db, queue, history: { events: true }, ...how }))
    await queue.send({ ...message, eventId: newEventId() })
    expect(await made.count('keepsend_events')).toBe(2)
  })

  it('let a delivered delivery be sent again, and a late settle of its earlier life lose', async () => {
    const made = await recorded({ events: true, attempts: 'all' })
    const hook = await made.addEndpoint()
    const { eventId } = await made.publish()
    const [row] = await made.rows()
    await made.deliver()
    expect(await made.rows()).toEqual([])
    const id = `${eventId}.${hook.endpointId}`
    const replays = await Promise.allSettled([1, 2].map(() => made.engine.deliveries.replay('w', id)))
    expect(replays.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const outcome = { kind: 'complete', httpStatus: 200 } as const
    const claim = { ...row!, gen: row!.gen + 1 }
    const { lost } = await made.engine.worker.settle([{ claim, outcome }])
    expect([lost, (await made.rows()).map((again) => again.id)]).toEqual([[claim], [id]])
    await sweep(made.policy)
    await made.deliver()
    const [before, again] = await hook.arrivals()
    expect(again?.body).toBe(before?.body)
    expect(again?.headers['webhook-id']).toBe(before?.headers['webhook-id'])
  })

  it('are deleted with their payloads after their retention', async () => {
    const made = await recorded({ events: true, retentionMs: 60_000 })
    await made.publish()
    await env.DB.exec(`update keepsend_events set id = 'evt_00' || substr(id, 7)`)
    await env.DB.exec(`update keepsend_payloads set event_id = 'evt_00' || substr(event_id, 7)`)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedEvents: 1, deletedPayloads: 1 })
  })

  it('are found by their values, recorded once in a consumer and the inline queue, and these are deleted with them', async () => {
    const made = await recorded({ events: true, search: ['data.n', 'data.text'], retentionMs: 60_000 })
    const message = { type: 'a.b', workspaceId: 'w', data: { n: 7, text: `"'%_🦊` }, eventId: newEventId() }
    for (let n = 0; n < 2; n++) await consumeBatch(made.policy, batchOf([message]))
    const { eventId } = await made.publish()
    const queue = new InlineEventQueue()
    const how = { sender: createFetchSender(), secrets: TEST_KEYS, deadlineMs: 1000, maxDeadlineMs: 1000 }
    queue.start(createEngine({ db: made.db, queue, history: { events: true, search: ['data.n'] }, ...how }))
    const inline = newEventId()
    await queue.send({ ...message, eventId: inline })
    expect(await made.count('keepsend_event_search')).toBe(4)
    const found = async (search: { path: string; value?: string; prefix?: string }) =>
      (await made.engine.events.list('w', { limit: 10, search })).rows.map(({ id }) => id)
    expect(await found({ path: 'data.n', value: '7' })).toEqual([inline, message.eventId])
    expect(await found({ path: 'data.n', prefix: '' })).toEqual([inline, message.eventId, eventId])
    expect(await found({ path: 'data.text', prefix: `"'%_` })).toEqual([message.eventId])
    expect(await made.written(inline)).toBe(0)
    await env.DB.exec(`update keepsend_events set id = 'evt_00' || substr(id, 7)`)
    await env.DB.exec(`update keepsend_event_search set event_id = 'evt_00' || substr(event_id, 7)`)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedEvents: 3 })
    expect(await made.count('keepsend_event_search')).toBe(0)
  })
})
