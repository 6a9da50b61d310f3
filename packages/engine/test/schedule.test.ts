// Events with `deliverAt` and `expiresInMs`, in every way to publish. On each database.
import { type Statement, newEventId, sweepPendingEvents, toSql } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { type WebhookEvent, commitWithEvents, insertQueuedEvent, keepsend, publishEvent } from '../src/index.ts'
import { dispatching, idsOf, list } from './pages.ts'
import { LATER, type Rig, settled } from './rig.ts'
import { api, read } from './routes.ts'
import { DAY, event, inDays, ready } from './schedule-rig.ts'

type Publish = (made: Rig, event: WebhookEvent) => unknown

const throughHono = (made: Rig, answer: (c: Parameters<typeof publishEvent>[0]) => Promise<Response>) =>
  new Hono().use(keepsend(made.engine)).post('/', answer).request('/', { method: 'POST' })

const overHttp = async ({ engine }: Rig, body: object) => {
  const { key } = await engine.apiKeys.create({ workspaceId: 'w1' })
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  return engine.routes.request('/events', { method: 'POST', headers, body: JSON.stringify(body) })
}

const withoutWorkspace = ({ workspaceId: _, ...one }: WebhookEvent) => one

const WAYS: Record<string, Publish> = {
  'engine.publish': ({ engine }, one) => engine.publish(one),
  'engine.commit': ({ engine }, one) => engine.commit({ writes: [], events: [one] }),
  commitWithEvents: (made, one) =>
    throughHono(made, (c) => commitWithEvents(c, { writes: [], events: [one], response: { status: 201, body: null } })),
  publishEvent: (made, one) => throughHono(made, async (c) => c.json(await publishEvent(c, one))),
  'engine.publishStatements': ({ engine, db }, one) =>
    db.atomic(engine.publishStatements({ ...one, id: newEventId() })),
  'POST /events': (made, one) => overHttp(made, withoutWorkspace(one)),
  'POST /events with a list': (made, one) => overHttp(made, { object: 'list', data: [withoutWorkspace(one)] }),
  'a message without rows': async (made, one) => {
    await made.readOnly(true)
    await made.engine.publish(one)
    await settled()
    await made.readOnly(false)
    return insertQueuedEvent({ db: made.db, rowsStart: 'now' }, made.messages[0] ?? { type: '', workspaceId: '' })
  },
}

describe('an event with deliverAt and expiresInMs', () => {
  for (const [way, publish] of Object.entries(WAYS)) {
    for (const history of [false, true]) {
      it(`waits for its time and expires after it, published by ${way}${history ? ' with history' : ''}`, async () => {
        const made = await ready({ history })
        const deliverAt = inDays(1)
        await publish(made, { ...event, deliverAt, expiresInMs: 60_000 })
        const times = { deliverAt: deliverAt.getTime(), expiresAt: deliverAt.getTime() + 60_000 }
        expect(await made.row()).toMatchObject({ ...times, status: 'pending', dueAt: times.deliverAt, ready: 0 })
        expect(await made.work({ now: times.deliverAt - 1 })).toEqual([])
        expect(await made.work({ now: times.deliverAt })).toMatchObject([{ kind: 'complete' }])
        expect(made.sender.requests).toHaveLength(1)
      })
    }
  }

  it('may write its time as RFC 3339 with an offset, and a past time means now', async () => {
    const { engine, rows, work } = await ready()
    const at = inDays(1)
    const shifted = new Date(at.getTime() + 7_200_000).toISOString().replace('.000Z', '+02:00')
    await engine.publish({ ...event, deliverAt: shifted })
    await engine.publish({ ...event, deliverAt: '2001-01-01T00:00:00Z', expiresInMs: 60_000 })
    const [ahead, passed] = await rows()
    expect(ahead).toMatchObject({ deliverAt: at.getTime(), expiresAt: null })
    expect(passed).toMatchObject({ deliverAt: null, ready: 1, expiresAt: (passed?.createdAt ?? 0) + 60_000 })
    expect(await work()).toHaveLength(1)
  })

  it.each([
    [{ deliverAt: inDays(367) }, 'deliverAt must be at most 366 days ahead; found "20'],
    [{ deliverAt: '2026-02-30T00:00:00Z' }, 'deliverAt has the day 30'],
    [{ deliverAt: new Date(NaN) }, 'deliverAt must be a date or an RFC 3339 time; found null'],
    [{ deliverAt: 5 }, 'deliverAt must be a date or an RFC 3339 time; found 5'],
    [{ deliverAt: null }, 'deliverAt must be a date or an RFC 3339 time; found null'],
    [{ expiresInMs: 999 }, 'expiresInMs must be a whole number from 1000 to 31622400000; found 999'],
    [{ expiresInMs: 1000.5 }, 'expiresInMs must be a whole number from 1000 to 31622400000; found 1000.5'],
    [{ expiresInMs: 31_622_400_001 }, 'found 31622400001'],
    [{ expiresInMs: NaN }, 'found null'],
    [{ expiresInMs: '60000' }, 'expiresInMs must be a number; found a text'],
    [{ deliverAtMs: 5 }, 'did you mean deliverAt?'],
  ])('is refused with %j, before anything is written', async (wrong, message) => {
    const { engine, rows } = await ready()
    const given = { ...event, ...wrong } as WebhookEvent
    const refused = { code: 'invalid_event', message: expect.stringContaining(message) }
    await expect(engine.publish(given)).rejects.toMatchObject(refused)
    expect(await rows()).toEqual([])
  })

  it('counts the time that its message waited, when its rows could not be inserted', async () => {
    const made = await ready()
    await made.readOnly(true)
    const before = Date.now()
    const tomorrow = inDays(1)
    await made.engine.publish({ ...event, expiresInMs: 60_000 })
    await made.engine.publish({ ...event, expiresInMs: 60_000, deliverAt: tomorrow })
    await made.engine.publish({ ...event, deliverAt: new Date(Date.now() + 366 * DAY) })
    await made.engine.publish({ ...event, deliverAt: new Date(-8e15), expiresInMs: 60_000 })
    await settled()
    await made.readOnly(false)
    const [now, later, last, past] = made.messages
    expect(now).toMatchObject({ expiresAt: expect.any(String) })
    expect(now).not.toHaveProperty('deliverAt')
    expect(Date.parse(now?.expiresAt ?? '')).toBeGreaterThanOrEqual(before + 60_000)
    expect(later).toMatchObject({ deliverAt: tomorrow.toISOString() })
    expect(past).not.toHaveProperty('deliverAt')
    const behind = {
      type: '',
      workspaceId: '',
      ...last,
      deliverAt: new Date(Date.now() + 366 * DAY + 60_000).toISOString(),
    }
    await insertQueuedEvent({ db: made.db, rowsStart: 'now' }, behind)
    expect(await made.rows()).toMatchObject([{ deliverAt: Date.parse(behind.deliverAt), status: 'pending' }])
    const late = { ...now, type: 'a', workspaceId: 'w1', expiresAt: new Date(before - 1).toISOString() }
    await insertQueuedEvent({ db: made.db, rowsStart: 'now' }, late)
    expect(await made.work()).toMatchObject([{ kind: 'fail', error: 'expired: its expiresAt has passed' }])
    await expect(
      insertQueuedEvent({ db: made.db, rowsStart: 'now' }, { ...late, expiresAt: 'soon' }),
    ).rejects.toMatchObject({ code: 'invalid_event' })
  })

  it('without either is inserted by the same statement as ever', async () => {
    const seen: string[] = []
    const note = (statement: Statement): void => void seen.push(toSql(statement, 'sqlite').sql)
    const { engine } = await ready({
      wrap: (db) => ({
        ...db,
        run: (statement) => (note(statement), db.run(statement)),
        atomic: (statements) => (statements.forEach(note), db.atomic(statements)),
      }),
    })
    for (const times of [{}, { deliverAt: undefined, expiresInMs: undefined }])
      await engine.publish({ ...event, ...times })
    const inserts = seen.filter((sql) => sql.includes('insert into pending_events'))
    expect(inserts).toHaveLength(2)
    expect(inserts.filter((sql) => /deliver_at|expires_at/.test(sql))).toEqual([])
  })
})

describe('a row that waits for its deliverAt', () => {
  it('gets no message from a queue that dispatches, and is swept when it is due', async () => {
    const messages: unknown[] = []
    const queue = { ...dispatching.queue, send: async (message: unknown) => void messages.push(message) }
    const { engine, db, row } = await ready({ queue })
    const deliverAt = inDays(1)
    const { eventId } = await engine.publish({ ...event, deliverAt })
    await engine.dispatch(eventId)
    await settled()
    expect(messages).toEqual([])
    const sweep = async (now: number) => (await sweepPendingEvents(db, { firstSends: 'all', now })).events
    expect(await sweep(deliverAt.getTime() - 1)).toEqual([])
    expect(await sweep(deliverAt.getTime())).toMatchObject([{ id: (await row()).id }])
    await engine.publish({ ...event, deliverAt: '2001-01-01T00:00:00Z' })
    await settled()
    expect(messages).toHaveLength(1)
  })

  it('tells a queue that polls to look', async () => {
    const { engine, messages } = await ready()
    await engine.publish({ ...event, deliverAt: inDays(1) })
    await settled()
    expect(messages).toHaveLength(1)
  })

  it('is not held before its time, then as its endpoint is, and sent when the endpoint is enabled', async () => {
    const { engine, endpointId, row, work, sender } = await ready()
    await engine.endpoints.setStatus('w1', endpointId, 'disabled')
    const deliverAt = inDays(1)
    await engine.publish({ ...event, deliverAt })
    await engine.endpoints.setStatus('w1', endpointId, 'enabled')
    expect(await row()).toMatchObject({ status: 'pending', dueAt: deliverAt.getTime(), ready: 0 })
    expect(await work()).toEqual([])
    await engine.endpoints.pause('w1', endpointId)
    expect(await work({ now: deliverAt.getTime() })).toMatchObject([{ kind: 'hold', reason: 'endpoint_paused' }])
    expect(await row()).toMatchObject({ status: 'held', attempts: 0 })
    await engine.endpoints.resume('w1', endpointId)
    expect(await work({ now: LATER })).toMatchObject([{ kind: 'complete' }])
    expect(sender.requests).toHaveLength(1)
  })

  it('is scheduled beyond maxAgeMs, and its age counts from its time', async () => {
    const { engine, work, row, sender } = await ready({ maxAgeMs: 7 * DAY, retrySchedule: [60], answer: () => 500 })
    const deliverAt = inDays(20)
    await engine.publish({ ...event, deliverAt })
    await engine.worker.maintain()
    expect(await work({ now: deliverAt.getTime() })).toMatchObject([{ kind: 'reschedule' }])
    const tooOld = deliverAt.getTime() + 7 * DAY + 1
    expect(await work({ now: tooOld })).toMatchObject([
      { kind: 'fail', error: expect.stringMatching(/^expired: older/) },
    ])
    expect([(await row()).status, sender.requests.length]).toEqual(['failed', 1])
  })

  it('is in the lists of its workspace, and the API shows both times', async () => {
    const made = await api()
    await made.addEndpoint()
    const deliverAt = inDays(1)
    await made.engine.publish({ ...event, deliverAt, expiresInMs: DAY })
    const [row] = await made.rows()
    expect(idsOf(await list(made.engine, { limit: 10 }))).toEqual([row?.id])
    expect(idsOf(await list(made.engine, { limit: 10, status: 'pending' }))).toEqual([row?.id])
    expect(await read(made.call('GET', `/deliveries/${row?.id}`))).toMatchObject({
      status: 200,
      body: {
        status: 'pending',
        dueAt: deliverAt.toISOString(),
        deliverAt: deliverAt.toISOString(),
        expiresAt: new Date(deliverAt.getTime() + DAY).toISOString(),
      },
    })
    expect(await made.engine.stats()).toMatchObject({ scheduled: 1, due: 0, oldestDueMs: 0 })
  })

  it('is measured from its time in the history', async () => {
    const { engine, work } = await ready({ history: true })
    const deliverAt = inDays(1)
    await engine.publish({ ...event, deliverAt })
    await work({ now: deliverAt.getTime() + 250 })
    const { rows } = await engine.attempts.list('w1', { limit: 10 })
    expect(rows).toMatchObject([{ reason: 'publish', queueUs: 250_000 }])
  })
})
