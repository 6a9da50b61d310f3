import type { OutboxDatabase, Statement } from '@keepsend/outbox'
import { sql } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres'
import { pgTable, text as pgText } from 'drizzle-orm/pg-core'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { type EventQueue, commitWithEvents, keepsend } from '../../index.ts'
import { type Rig, rig, settled } from '../../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: { id: 'm1' } }
const write = (id: string | null) => ({ sql: 'insert into messages (id, text) values (?, ?)', params: [id, 'hello'] })
const counts = ({ count }: Rig) =>
  Promise.all(['messages', 'pending_events', 'keepsend_idempotency_records', 'keepsend_idempotency_marks'].map(count))

/** An insert as the host's drizzle builds it. */
function insertMessage({ dialect }: OutboxDatabase, message: { id: string; text: string }): Statement {
  if (dialect.name === 'sqlite') {
    const messages = sqliteTable('messages', { id: text('id').primaryKey(), text: text('text').notNull() })
    return drizzleSqlite.mock().insert(messages).values(message)
  }
  const messages = pgTable('messages', { id: pgText('id').primaryKey(), text: pgText('text').notNull() })
  return drizzlePostgres.mock().insert(messages).values(message)
}

/** A host's app with one mutating route. */
function appOf({ engine }: Rig, id: string | null = 'm1') {
  const app = new Hono()
  app.use(keepsend(engine))
  app.onError((error, c) => c.text(`host: ${error.message}`, 418))
  app.post('/messages', (c) =>
    commitWithEvents(c, { writes: [write(id)], events: [event], response: { status: 201, body: { id } } }),
  )
  const post = (headers: Record<string, string> = {}) =>
    app.request('/messages', { method: 'POST', body: '{}', headers })
  return { app, post }
}

describe('a commit of change and events', () => {
  it('commits the row before the queue is notified of it (trap 2)', async () => {
    const seen: unknown[] = []
    const queue: EventQueue = {
      async send({ outboxId }) {
        // `count` and `select` use another connection, which sees only committed rows.
        const committed = await made.select('select id from pending_events where id = ?', outboxId ?? '')
        seen.push([committed.length, await made.count('messages')])
      },
    }
    const made = await rig({ queue })
    await made.addEndpoint()
    const works: Promise<void>[] = []
    await made.engine.commit({ writes: [write('m1')], events: [event], background: (work) => works.push(work) })
    await Promise.all(works)
    expect(seen).toEqual([[1, 1]])
  })

  it('runs drizzle builders, drizzle sql and plain text as writes, in order', async () => {
    const made = await rig()
    await made.engine.commit({
      writes: [
        insertMessage(made.db, { id: 'a', text: '1' }),
        sql`update messages set text = text || ${'!'}`,
        { sql: "update messages set text = text || '2'", params: [] },
      ],
      events: [],
    })
    expect(await made.select('select id, text from messages')).toEqual([{ id: 'a', text: '1!2' }])
  })

  it('refuses a write that would end the transaction, before it writes anything or marks the request', async () => {
    const asked: number[] = []
    const made = await rig({
      wrap: (db) => ({
        ...db,
        run(statement) {
          asked.push(1)
          return db.run(statement)
        },
        atomic(statements) {
          asked.push(statements.length)
          return db.atomic(statements)
        },
      }),
    })
    await made.addEndpoint()
    asked.length = 0
    const request = { key: '1', workspaceId: 'w1', method: 'POST', route: '/messages', body: '{}' }
    for (const commit of [{ sql: 'commit', params: [] }, sql`commit`]) {
      const unit = { writes: [write('m1'), commit, write('m2')], events: [event], idempotencyKey: request }
      await expect(made.engine.commit(unit)).rejects.toMatchObject({ code: 'invalid_statement' })
    }
    expect([asked, await counts(made)]).toEqual([[], [0, 0, 0, 0]])
  })

  it('publishes several events in one transaction, and names them in order', async () => {
    const made = await rig()
    await made.addEndpoint()
    await made.addEndpoint({ eventTypes: ['other'] })
    const committed = await made.engine.commit({ writes: [], events: [event, { ...event, type: 'other' }] })
    expect(committed).toMatchObject({ status: 200, body: 'null', replayed: false })
    const typesById = (await made.rows()).map(({ id, type }) => [committed.eventIds.indexOf(id.slice(0, 40)), type])
    expect(typesById).toHaveLength(3)
    expect(new Set(typesById.map(String))).toEqual(new Set(['0,message.created', '1,other']))
  })

  it("writes nothing when a write breaks a constraint, and throws the driver's error to the app (trap 1)", async () => {
    const made = await rig()
    await made.addEndpoint()
    const response = await appOf(made, null).post({ 'idempotency-key': 'k' })
    expect([response.status, await response.text()]).toEqual([
      418,
      expect.stringMatching(/^host: .*not.null constraint/i),
    ])
    expect(await counts(made)).toEqual([0, 0, 0, 0])
    expect(made.messages).toEqual([])
    const second = await appOf(made, 'm1').post({ 'idempotency-key': 'k' })
    expect([second.status, second.headers.get('idempotency-replayed'), await counts(made)]).toEqual([
      201,
      null,
      [1, 1, 1, 0],
    ])
  })

  it('refuses an invalid event before anything is written', async () => {
    const made = await rig()
    const refused = made.engine.commit({ writes: [write('m1')], events: [event, { ...event, type: 'no good' }] })
    await expect(refused).rejects.toMatchObject({ code: 'invalid_event' })
    expect(await counts(made)).toEqual([0, 0, 0, 0])
  })

  it('answers 503 with Retry-After when the database fails, with nothing stored (trap 3)', async () => {
    const made = await rig()
    await made.addEndpoint()
    await made.readOnly(true)
    const response = await appOf(made).post()
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ code: 'not_accepted', status: 503 })
    await made.readOnly(false)
    expect(await counts(made)).toEqual([0, 0, 0, 0])
  })

  it('answers an event that is too large with 413 and an invalid one with 422, as problem documents', async () => {
    const made = await rig()
    const app = new Hono()
    app.use(keepsend(made.engine))
    app.post('/:size', (c) => {
      const data = { text: 'x'.repeat(Number(c.req.param('size'))) }
      const type = c.req.query('type') ?? 'a'
      return commitWithEvents(c, {
        writes: [write('m1')],
        events: [{ ...event, type, data }],
        response: { status: 201, body: {} },
      })
    })
    const codes = ['/300000', '/1?type=no+good'].map(async (path) =>
      (await app.request(path, { method: 'POST' })).json(),
    )
    expect(await Promise.all(codes)).toMatchObject([
      { code: 'payload_too_large', status: 413 },
      { code: 'invalid_event', status: 422 },
    ])
    expect(await made.count('messages')).toBe(0)
  })

  it('throws a clear error in a route without the engine in its context', async () => {
    const app = new Hono()
    app.onError((error, c) => c.text(error.message, 418))
    app.post('/', (c) => commitWithEvents(c, { writes: [], events: [], response: { status: 200, body: {} } }))
    const response = await app.request('/', { method: 'POST' })
    expect([response.status, await response.text()]).toEqual([
      418,
      expect.stringContaining('app.use(keepsend(engine))'),
    ])
  })

  it('sends no body with 204', async () => {
    const made = await rig()
    const app = new Hono()
    app.use(keepsend(made.engine))
    app.delete('/', (c) => commitWithEvents(c, { writes: [], events: [event], response: { status: 204, body: null } }))
    const request = () => app.request('/', { method: 'DELETE', headers: { 'idempotency-key': 'k' } })
    for (const response of [await request(), await request()])
      expect([response.status, await response.text()]).toEqual([204, ''])
  })
})

const refusals: [string, EventQueue][] = [
  [
    'throws synchronously',
    {
      send: () => {
        throw new Error('queue is down')
      },
    },
  ],
  [
    'rejects',
    {
      send: async () => {
        await settled()
        throw new Error('queue is down')
      },
    },
  ],
  [
    'throws synchronously from sendBatch',
    {
      async send() {},
      sendBatch: () => {
        throw new Error('queue is down')
      },
    },
  ],
]

describe.each(refusals)('a queue that %s', (_, queue) => {
  it('does not fail the change: answers 201, leaves the row claimable, counts and logs the failure', async () => {
    const made = await rig({ queue })
    const { secret } = await made.addEndpoint()
    const response = await appOf(made).post()
    await settled()
    await settled()
    expect([response.status, await response.json()]).toEqual([201, { id: 'm1' }])
    expect([made.engine.counters.queueErrors, made.log.entries.map(({ level }) => level)]).toEqual([1, ['warn']])
    expect(made.log.entries[0]?.fields).toMatchObject({ messages: 1, error: 'queue is down' })
    expect([secret, await made.work()]).toMatchObject([secret, [{ kind: 'complete', httpStatus: 200 }]])
  })
})

describe('the dispatch', () => {
  it('sends ids of rows, not payloads', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint()
    const { eventIds } = await made.engine.commit({ writes: [], events: [event] })
    await settled()
    const eventId = eventIds[0]
    const gen = (await made.rows())[0]?.gen
    expect(made.messages).toEqual([
      { type: event.type, workspaceId: 'w1', outboxId: `${eventId}.${id}`, gen, eventId, endpointId: id },
    ])
  })

  it('calls sendBatch once for all rows, if the queue has it', async () => {
    const batches: number[] = []
    const made = await rig({ queue: { async send() {}, sendBatch: async (list) => void batches.push(list.length) } })
    for (const _ of [1, 2, 3]) await made.addEndpoint()
    await made.engine.commit({ writes: [], events: [event, event] })
    await settled()
    expect(batches).toEqual([6])
  })

  it("is passed to the platform's waitUntil, if there is one", async () => {
    const made = await rig()
    await made.addEndpoint()
    const waited: Promise<unknown>[] = []
    const executionCtx = {
      waitUntil: (work: Promise<unknown>) => void waited.push(work),
      passThroughOnException() {},
      props: {},
    }
    const { app } = appOf(made)
    await app.request('/messages', { method: 'POST', body: '{}' }, {}, executionCtx)
    await Promise.all(waited)
    expect([waited.length, made.messages.length]).toEqual([1, 1])
  })
})
