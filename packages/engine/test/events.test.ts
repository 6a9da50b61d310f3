// Events are recorded once, in the transaction of their deliveries, with their payload. On each database.
import { Transaction, claimDueEvents, newEventId } from '@keepsend/outbox'
import { firstEventIdAt, sqlText } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import { type EngineOptions, allWorkspaces, insertQueuedEvent } from '../src/index.ts'
import { recordedRig } from './plans.ts'
import { type Rig, rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const EVENT = { type: 'message.created', workspaceId: 'w1', data: { n: 1 } }

const recording = (options: Parameters<typeof rig>[0] = {}): Promise<Rig> => rig({ history: true, ...options })

/** What is stored of all events: their records, rows and payloads. */
async function stored({ count }: Rig): Promise<Record<string, number>> {
  const tables = ['keepsend_events', 'pending_events', 'keepsend_payloads']
  const counts = await Promise.all(tables.map(async (table) => [table, await count(table)] as const))
  return Object.fromEntries(counts)
}

const one = { keepsend_events: 1, keepsend_payloads: 1 }

describe('an event is recorded once, with its payload,', () => {
  it('by publish: to no endpoint, to one and to many', async () => {
    const made = await recording()
    for (const receivers of [0, 1, 5]) {
      const workspaceId = `w${receivers}`
      for (let n = 0; n < receivers; n++) await made.addEndpoint({ workspaceId })
      const { eventId, deliveries } = await made.engine.publish({ ...EVENT, workspaceId, channels: ['a', 'b'] })
      expect(deliveries).toBe(receivers)
      expect(await made.engine.events.get(workspaceId, eventId)).toMatchObject({
        id: eventId,
        type: EVENT.type,
        channels: ['a', 'b'],
        contentType: null,
        payload: expect.stringContaining('"data":{"n":1}') as string,
        pending: receivers,
        complete: true,
      })
      expect(await made.select('select deliveries from keepsend_events where id = ?', eventId)).toEqual([
        { deliveries: receivers },
      ])
    }
    expect(await stored(made)).toEqual({ keepsend_events: 3, pending_events: 6, keepsend_payloads: 3 })
  })

  it('by commit, with the writes of the host, or not at all', async () => {
    const made = await recording()
    await made.addEndpoint()
    const writes = [{ sql: `insert into messages (id, text) values ('m1', 'hi')`, params: [] }]
    const commit = () => made.engine.commit({ writes, events: [EVENT, { ...EVENT, workspaceId: 'w2' }] })
    await commit()
    const after = { keepsend_events: 2, pending_events: 1, keepsend_payloads: 2 }
    expect(await stored(made)).toEqual(after)
    await expect(commit()).rejects.toThrow(/messages/)
    expect(await stored(made)).toEqual(after)
  })

  it('by the statements of publishStatements, in the transaction of the host', async () => {
    const made = await recording()
    await made.addEndpoint()
    const statements = made.engine.publishStatements({ ...EVENT, id: newEventId() })
    expect(statements).toHaveLength(onPostgres ? 1 : 3)
    const failing = { sql: 'insert into messages (id, text) values (null, null)', params: [] }
    await expect(made.db.atomic([...statements, failing])).rejects.toThrow()
    expect(await stored(made)).toEqual({ keepsend_events: 0, pending_events: 0, keepsend_payloads: 0 })
    await made.db.atomic(statements)
    expect(await stored(made)).toEqual({ ...one, pending_events: 1 })
  })

  it('from a message of the queue, however often it comes', async () => {
    const made = await recording()
    await made.addEndpoint()
    const message = { ...EVENT, eventId: newEventId(), timestamp: '2026-11-23T12:00:00Z' }
    const target = { db: made.db, rowsStart: 'now', recordsEvents: made.engine.recordsEvents } as const
    for (let n = 0; n < 3; n++) await insertQueuedEvent(target, message)
    expect(await stored(made)).toEqual({ ...one, pending_events: 1 })
  })

  it('by publishTest', async () => {
    const made = await recording()
    const { id } = await made.addEndpoint({ eventTypes: ['other'] })
    const { eventId } = await made.engine.publishTest('w1', id)
    expect(await made.engine.events.get('w1', eventId)).toMatchObject({ type: 'test', pending: 1 })
    expect(await stored(made)).toEqual({ ...one, pending_events: 1 })
  })

  it('as an operational webhook, only if its change takes place', async () => {
    const made = await recording({ operatorWorkspaceId: 'operator', answer: () => 400 })
    await made.addEndpoint()
    await made.addEndpoint({ workspaceId: 'operator', eventTypes: ['keepsend.*'] })
    await made.engine.publish(EVENT)
    const { claims } = await claimDueEvents(made.db, { limit: 10 })
    const [claim] = claims
    const outcome = await made.engine.worker.deliver(claim!, claim!.claimedAt)
    const ofOperator = async () => (await made.engine.events.list('operator', { limit: 10 })).rows
    await made.engine.worker.settle([{ claim: { ...claim!, gen: claim!.gen - 1 }, outcome }])
    expect([await ofOperator(), await made.count('keepsend_payloads')]).toEqual([[], 1])
    await made.engine.worker.settle([{ claim: claim!, outcome }])
    expect(await ofOperator()).toMatchObject([{ type: 'keepsend.delivery.failed', pending: 1 }])
    expect(await made.count('keepsend_payloads')).toBe(2)
  })

  it('if it is published again under its id: later deliveries send its first payload', async () => {
    const made = await recording()
    await made.addEndpoint()
    const id = newEventId()
    await made.engine.publish({ ...EVENT, id })
    await made.addEndpoint()
    const raw = { body: '<a/>', contentType: 'application/xml' }
    const { deliveries } = await made.engine.publish({ type: EVENT.type, workspaceId: 'w1', raw, id })
    expect(deliveries).toBe(1)
    await made.engine.publish({ ...EVENT, id, data: { n: 2 } })
    expect(await stored(made)).toEqual({ ...one, pending_events: 2 })
    const rows = await made.rows()
    expect(new Set(rows.map(({ payload, contentType }) => `${payload} ${contentType}`)).size).toBe(1)
    expect(rows[0]?.contentType).toBe(null)
  })

  it('and never shows or sends a payload that has the id of its lost one', async () => {
    const made = await recording()
    const { id: endpointId } = await made.addEndpoint()
    const { eventId } = await made.engine.publish(EVENT)
    await made.work()
    const other = await made.engine.publish({ ...EVENT, workspaceId: 'w2', data: { n: 'of w2' } })
    await made.exec('update keepsend_events set payload_id = (select max(id) from keepsend_payloads)')
    expect(await made.engine.events.get('w1', eventId)).toMatchObject({ completed: 1, payload: null })
    const replay = () => made.engine.deliveries.replay('w1', `${eventId}.${endpointId}`)
    await expect(replay()).rejects.toMatchObject({ code: 'not_retained' })
    // A repeated publish stores it again.
    const raw = { body: '<again/>', contentType: 'application/xml' }
    await made.engine.publish({ type: EVENT.type, workspaceId: 'w1', raw, id: eventId })
    await made.work()
    expect(await made.engine.events.get('w1', eventId)).toMatchObject({
      payload: '<again/>',
      contentType: 'application/xml',
    })
    await replay()
    await made.work()
    expect(made.sender.requests.slice(1).map(({ body }) => body)).toEqual(['<again/>', '<again/>'])
    expect((await made.engine.events.get('w2', other.eventId)).payload).toContain('of w2')
  })

  it('for each workspace that publishes under its id: each has its own', async () => {
    const made = await recording()
    const id = newEventId()
    for (const [n, workspaceId] of ['w1', 'w2'].entries()) {
      await made.addEndpoint({ workspaceId })
      for (let again = 0; again < 2; again++) {
        await made.engine.commit({
          writes: [],
          events: [{ type: `a.b${n}`, workspaceId, data: { n }, id, channels: [] }],
        })
      }
    }
    expect(await stored(made)).toEqual({ keepsend_events: 2, pending_events: 2, keepsend_payloads: 2 })
    for (const [n, workspaceId] of ['w1', 'w2'].entries()) {
      const { payload, type, pending } = await made.engine.events.get(workspaceId, id)
      expect({ data: (JSON.parse(payload!) as { data: unknown }).data, type, pending }).toEqual({
        data: { n },
        type: `a.b${n}`,
        pending: 1,
      })
      expect((await made.engine.events.list(workspaceId, { limit: 10 })).rows).toMatchObject([{ id, type: `a.b${n}` }])
    }
  })

  it('twice in one commit', async () => {
    const made = await recording()
    await made.addEndpoint()
    const id = newEventId()
    await made.engine.commit({ writes: [], events: [{ ...EVENT, id }, { ...EVENT, id, data: { n: 2 } }, EVENT] })
    expect(await stored(made)).toEqual({ keepsend_events: 2, pending_events: 2, keepsend_payloads: 2 })
    const sent = (await made.rows()).map(({ payload }) => (JSON.parse(payload) as { data: unknown }).data)
    expect(sent).toEqual([EVENT.data, EVENT.data])
  })

  it('by concurrent publishes under one id', async () => {
    const made = await recording()
    await made.addEndpoint()
    const id = newEventId()
    await Promise.all(Array.from({ length: 4 }, (_, n) => made.engine.publish({ ...EVENT, id, data: { n } })))
    expect(await made.count('pending_events')).toBe(1)
    const [row] = await made.rows()
    expect((await made.engine.events.get('w1', id)).payload).toBe(row?.payload)
  })
})

describe('without history', () => {
  it('a publish runs the same statements as before: no event and no payload is recorded', async () => {
    const made = await recordedRig()
    await made.addEndpoint()
    made.statements()
    await made.engine.publish(EVENT)
    const published = made.statements()
    expect(published.map(({ sql }) => sql.includes('keepsend_events'))).toEqual(published.map(() => false))
    expect(published.filter(({ sql }) => sql.includes('insert into pending_events'))).toHaveLength(1)
    expect(await stored(made)).toEqual({ keepsend_events: 0, pending_events: 1, keepsend_payloads: 0 })
    await made.engine.worker.maintain()
    expect(made.statements().some(({ sql }) => sql.includes('keepsend_events'))).toBe(false)
  })

  it.each<[string, EngineOptions['history']]>([
    ['no history', false],
    ['history without events', { events: false }],
  ])('events are those with a stored delivery (%s)', async (_name, history) => {
    const made = await api({ history })
    await made.addEndpoint()
    const { eventId } = await made.engine.publish({ ...EVENT, channels: [] })
    await made.engine.publish({ ...EVENT, workspaceId: 'w3' })
    expect(await read(made.call('GET', '/events'))).toMatchObject({ body: { data: [{ id: eventId }] } })
    expect(await read(made.call('GET', '/events?type=other'))).toMatchObject({ body: { data: [] } })
    expect(await read(made.call('GET', `/events/${eventId}`))).toMatchObject({
      body: { id: eventId, channels: null, counts: { pending: 1 }, deliveries: [{}], payload: { data: EVENT.data } },
    })
    await made.work()
    expect(await read(made.call('GET', `/events/${eventId}`))).toEqual(problem(404, 'not_retained'))
  })
})

describe('the list of events', () => {
  it('counts deliveries by status, also delivered ones whose rows are gone', async () => {
    const made = await recording({ retrySchedule: [60], answer: ({ url }) => Number(url.slice(-3)) })
    for (const status of [200, 200, 400, 500]) await made.addEndpoint({ url: `https://hooks.example.com/${status}` })
    const { id: disabled } = await made.addEndpoint({ url: 'https://hooks.example.com/200' })
    await made.engine.endpoints.setStatus('w1', disabled, 'disabled')
    const { eventId } = await made.engine.publish(EVENT)
    await made.work()
    const counts = { pending: 1, held: 1, completed: 2, failed: 1 }
    expect((await made.engine.events.list('w1', { limit: 10 })).rows).toEqual([
      {
        id: eventId,
        workspaceId: 'w1',
        type: EVENT.type,
        createdAt: expect.any(Number) as number,
        traceId: null,
        ...counts,
      },
    ])
    const { rows, ...event } = await made.engine.events.get('w1', eventId)
    expect(event).toMatchObject(counts)
    expect(rows).toHaveLength(3)
  })

  it('has pages that join without a gap, filtered by type and time, and no row of another workspace', async () => {
    const made = await api({ history: true })
    const at = (ms: number, n: number) => `${firstEventIdAt(ms)}-7000-8000-${String(n).padStart(12, '0')}`
    const BEGIN = Date.now() - 3_600_000
    const ids: string[] = []
    for (let n = 0; n < 25; n++) {
      const id = at(BEGIN + n * 1000, n)
      ids.unshift(id)
      const type = n % 5 === 0 ? 'a.rare' : 'a.b'
      for (const workspaceId of ['w1', 'w2']) await made.engine.publish({ type, workspaceId, data: {}, id })
    }
    for (const [filter, expected] of [
      [{}, ids],
      [{ type: 'a.rare' }, ids.filter((_, n) => (24 - n) % 5 === 0)],
      [{ since: BEGIN + 20_000 }, ids.slice(0, 5)],
      [{ until: BEGIN + 20_000 }, ids.slice(5)],
      [{ since: BEGIN + 3000, until: BEGIN + 20_000, type: 'a.rare' }, [ids[9], ids[14], ids[19]]],
    ] as const) {
      const seen: string[] = []
      let before: string | undefined
      do {
        const page = await made.engine.events.list('w1', { ...filter, limit: 4, before })
        seen.push(...page.rows.map(({ id }) => id))
        before = page.next
      } while (before !== undefined)
      expect(seen).toEqual(expected)
    }
    expect((await made.engine.events.list('w3', { limit: 10 })).rows).toEqual([])
    const since = new Date(BEGIN + 20_000).toISOString()
    const { body } = await read(made.call('GET', `/events?type=a.rare&since=${since}&limit=3`))
    expect(body['data']).toMatchObject([{ id: ids[4], type: 'a.rare', deliveries: { pending: 0 } }])
  })

  it('ends a page early that would count too many deliveries', async () => {
    const made = await recording()
    for (let n = 0; n < 3; n++) await made.engine.publish(EVENT)
    await made.exec('update keepsend_events set deliveries = 1500')
    const { rows, next, complete } = await made.engine.events.list('w1', { limit: 10 })
    expect({ shown: rows.length, next, complete }).toEqual({ shown: 2, next: rows[1]?.id, complete: false })
    const rest = await made.engine.events.list('w1', { limit: 10, before: next })
    expect(rest).toMatchObject({ rows: [{}], complete: true, next: undefined })
  })

  it('refuses a limit out of bounds and an unknown filter', async () => {
    const { engine } = await recording()
    await expect(engine.events.list('w1', { limit: 0 })).rejects.toMatchObject({ code: 'invalid_option' })
    await expect(engine.events.list('w1', { limit: 1, kind: 'x' } as never)).rejects.toMatchObject({
      code: 'invalid_option',
    })
    await expect(engine.events.get('w1', newEventId())).rejects.toMatchObject({ code: 'not_retained' })
  })
})

describe('the retention of events', () => {
  const retentionMs = 3_600_000
  const old = (): string => firstEventIdAt(Date.now() - retentionMs - 1000) + newEventId().slice(17)

  it('deletes an event with its payload once no delivery of it is stored', async () => {
    const made = await recording({ history: { retentionMs } })
    await made.engine.publish({ ...EVENT, id: old() })
    await made.addEndpoint()
    await made.engine.publish({ ...EVENT, id: old() })
    await made.engine.publish({ ...EVENT, type: 'other', workspaceId: 'w2' })
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedEvents: 2, deletedPayloads: 1 })
    // The delivery of the second is still pending: it has its payload.
    expect(await stored(made)).toEqual({ keepsend_events: 1, pending_events: 1, keepsend_payloads: 2 })
    await made.work()
    expect(made.sender.requests).toHaveLength(1)
    await made.exec('update keepsend_sweep_pass set payloads_next_at = 0')
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedEvents: 0, deletedPayloads: 1 })
    expect(await stored(made)).toEqual({ ...one, pending_events: 0 })
  })

  it('deletes the events of a time in which they were recorded, and retains the others', async () => {
    const recorded = await recording({ history: { retentionMs } })
    for (const id of [old(), newEventId()]) await recorded.engine.publish({ ...EVENT, id })
    const made = await rig({ on: recorded, history: { retentionMs, events: false, statistics: false } })
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedEvents: 1, deletedPayloads: 1 })
    expect(await stored(made)).toEqual({ ...one, pending_events: 0 })
  })

  it('retains the payload of an event whose deliveries have arrived', async () => {
    const made = await recording()
    await made.addEndpoint()
    const { eventId } = await made.engine.publish(EVENT)
    await made.work()
    await made.engine.worker.maintain()
    expect(await made.engine.events.get('w1', eventId)).toMatchObject({ completed: 1, payload: expect.any(String) })
  })

  it('hides an event before maintenance deletes it', async () => {
    const made = await recording({ history: { retentionMs } })
    const { eventId } = await made.engine.publish(EVENT)
    const id = old()
    await made.engine.publish({ ...EVENT, id })
    for (const scope of ['w1', allWorkspaces] as const)
      for (const since of [undefined, 0, Date.now() - retentionMs / 2])
        expect((await made.engine.events.list(scope, { limit: 10, since })).rows).toMatchObject([{ id: eventId }])
    await expect(made.engine.events.get('w1', id)).rejects.toMatchObject({ code: 'not_retained' })
  })

  it('takes an event with an id of the future by the time of its record', async () => {
    const made = await recording({ history: { retentionMs } })
    const id = firstEventIdAt(Date.now() + 10 * retentionMs) + newEventId().slice(17)
    await made.engine.publish({ ...EVENT, id })
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedEvents: 0 })
    await made.exec(`update keepsend_events set created_at = created_at - ${retentionMs + 1000}`)
    await made.engine.publish({ ...EVENT, workspaceId: 'w2', id })
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedEvents: 1, deletedPayloads: 1 })
    expect(await made.engine.events.get('w2', id)).toMatchObject({ workspaceId: 'w2' })
  })

  it('is bounded: a round deletes 500, and asks for another', async () => {
    const made = await recording({ history: { retentionMs } })
    const transaction = new Transaction()
    for (let n = 0; n < 501; n++) transaction.addAll(made.engine.publishStatements({ ...EVENT, id: old() }))
    await transaction.commit(made.db)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedEvents: 500, more: true })
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedEvents: 1 })
    const { rows } = await made.db.run(sqlText`select count(*) as "n" from keepsend_events`)
    expect(rows).toEqual([{ n: 0 }])
  })
})
