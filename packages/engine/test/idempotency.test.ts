import type { OutboxDatabase } from '@keepsend/outbox'
import { OutboxError } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { commitWithEvents, keepsend, recallAnswer } from '../src/index.ts'
import { rig, settled, signal } from './rig.ts'

/** An app with the engine's routes and a route of the host's own, both of which publish; and one endpoint. */
async function apps(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig(options)
  await made.addEndpoint()
  const { key } = await made.engine.apiKeys.create({ workspaceId: 'w1' })
  const app = new Hono()
  app.use(keepsend(made.engine))
  app.route('/webhooks', made.engine.routes)
  let writes = 0
  app.on(['POST', 'PUT'], '/rooms/:workspace/:room', async (c) => {
    const { text = '' } = await c.req.json<{ text?: string }>()
    const id = `m${++writes}`
    return commitWithEvents(c, {
      writes: [{ sql: 'insert into messages (id, text) values (?, ?)', params: [id, text] }],
      events: [{ type: 'message.created', workspaceId: c.req.param('workspace'), data: { id, text } }],
      response: { status: 201, body: { id, text } },
    })
  })
  const post = async (path: string, body: string, idempotencyKey?: string, method = 'POST') =>
    app.request(path, {
      method,
      body,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${key}`,
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      },
    })
  const expire = () => made.connection.exec('update keepsend_idempotency_marks set expires_at = 0')
  return { ...made, post, expire }
}

/** A database whose units of several statements wait, once armed, until it is opened. */
function gated() {
  const arrived = [signal(), signal()] as const
  const open = signal()
  let waiting: number | undefined
  const wrap = (db: OutboxDatabase): OutboxDatabase => ({
    ...db,
    run: (statement) => db.run(statement),
    async atomic(statements) {
      if (waiting !== undefined && statements.length > 1) {
        arrived[waiting++]?.resolve()
        await open.promise
      }
      return db.atomic(statements)
    },
  })
  const arm = () => {
    waiting = 0
  }
  return { wrap, arm, arrived, open }
}

const replayed = (response: Response) => response.headers.get('idempotency-replayed')
const EVENT = '{"type":"message.created","data":{"text":"hi"}}'

describe.each([
  ["the engine's own route", '/webhooks/events', EVENT, 202],
  ["a host's route", '/rooms/w1/general', '{"text":"hi"}', 201],
])('a repeated request to %s', (_, path, body, status) => {
  it('gets the first answer, byte for byte, marked as replayed; nothing is written again', async () => {
    const { post, count } = await apps()
    const [first, second] = [await post(path, body, 'k1'), await post(path, body, 'k1')]
    expect([first.status, replayed(first), second.status, replayed(second)]).toEqual([status, null, status, 'true'])
    expect(await second.arrayBuffer()).toEqual(await first.arrayBuffer())
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect([count('pending_events'), count('keepsend_idempotency_records')]).toEqual([1, 1])
  })

  it('with another body is 422, and writes nothing', async () => {
    const { post, count } = await apps()
    await post(path, body, 'k1')
    const other = await post(path, body.replace('hi', 'ho'), 'k1')
    expect([other.status, await other.json()]).toEqual([422, expect.objectContaining({ code: 'idempotency_mismatch' })])
    expect(count('pending_events')).toBe(1)
  })

  it('has the same key, quoted or bare', async () => {
    const { post, count } = await apps()
    await post(path, body, '"k1"')
    expect(replayed(await post(path, body, 'k1'))).toBe('true')
    expect(replayed(await post(path, body, '  "k1" '))).toBe('true')
    expect(count('pending_events')).toBe(1)
  })

  it.each(['', 'x'.repeat(256), 'k\u0001', '"k1', 'k"1'])(
    'with the malformed key %j is 400, and nothing is written',
    async (key) => {
      const { post, count } = await apps()
      const response = await post(path, body, key)
      expect([response.status, await response.json()]).toEqual([
        400,
        expect.objectContaining({ code: 'invalid_request' }),
      ])
      expect([count('pending_events'), count('keepsend_idempotency_marks')]).toEqual([0, 0])
    },
  )

  it('without a key is a request of its own', async () => {
    const { post, count } = await apps()
    for (const response of [await post(path, body), await post(path, body)]) expect(replayed(response)).toBeNull()
    expect(count('pending_events')).toBe(2)
  })

  it('while the first is in flight is 409 with Retry-After, and afterwards gets its answer', async () => {
    const { wrap, arm, arrived, open } = gated()
    const { post, count } = await apps({ wrap })
    arm()
    const first = post(path, body, 'k1')
    await arrived[0].promise
    const during = await post(path, body, 'k1')
    expect([during.status, during.headers.get('retry-after')]).toEqual([409, '1'])
    expect(await during.json()).toMatchObject({ code: 'idempotency_in_flight' })
    open.resolve()
    const answered = await first
    const after = await post(path, body, 'k1')
    expect([answered.status, replayed(after), await after.text()]).toEqual([status, 'true', await answered.text()])
    expect([count('pending_events'), count('keepsend_idempotency_marks')]).toEqual([1, 0])
  })
})

describe('two requests that both passed the mark', () => {
  /** The answers to both, and what they left. */
  async function race(bodies: [string, string]) {
    const { wrap, arm, arrived, open } = gated()
    const { post, connection, count } = await apps({ wrap })
    arm()
    const first = post('/rooms/w1/general', bodies[0], 'k1')
    await arrived[0].promise
    connection.exec('delete from keepsend_idempotency_marks')
    const second = post('/rooms/w1/general', bodies[1], 'k1')
    await arrived[1].promise
    open.resolve()
    const left = () =>
      ['messages', 'pending_events', 'keepsend_idempotency_records', 'keepsend_idempotency_marks'].map(count)
    return { answers: [await first, await second], left }
  }

  it('make one commit; the other is answered from its record', async () => {
    const { answers, left } = await race(['{}', '{}'])
    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    expect(answers.filter((answer) => replayed(answer) === 'true')).toHaveLength(1)
    expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1)
    expect(left()).toEqual([1, 1, 1, 0])
  })

  it('with different bodies: one commits, the other is 422', async () => {
    const { answers, left } = await race(['{"text":"a"}', '{"text":"b"}'])
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 422]))
    expect(left()).toEqual([1, 1, 1, 0])
  })
})

describe('what makes a request another one', () => {
  it.each([
    ['workspace', '/rooms/w2/general', 'POST'],
    ['method', '/rooms/w1/general', 'PUT'],
    ['path', '/rooms/w1/random', 'POST'],
  ])('another %s, under the same key', async (_, path, method) => {
    const { post, count } = await apps()
    await post('/rooms/w1/general', '{}', 'k1')
    const other = await post(path, '{}', 'k1', method)
    expect([other.status, replayed(other), count('messages')]).toEqual([201, null, 2])
  })
})

describe('marks and records', () => {
  it('the mark of a request that died blocks until it expires, and no longer', async () => {
    const { post, connection, expire, count } = await apps()
    await post('/rooms/w1/general', '{}', 'k1')
    // As the first request left it when it died before its commit: a mark and no record.
    connection.exec(`
      insert into keepsend_idempotency_marks select workspace_id, method, route, key_hash, 'the dead', cast(unixepoch('subsec') * 1000 as integer) + 60000
      from keepsend_idempotency_records;
      delete from keepsend_idempotency_records; delete from messages; delete from pending_events`)
    expect((await post('/rooms/w1/general', '{}', 'k1')).status).toBe(409)
    expire()
    const response = await post('/rooms/w1/general', '{}', 'k1')
    expect([response.status, replayed(response), count('messages'), count('keepsend_idempotency_marks')]).toEqual([
      201,
      null,
      1,
      0,
    ])
  })

  it('a mark is set for five seconds: a client whose request died waits no longer', async () => {
    const { post, connection } = await apps({
      wrap: (db) => ({
        ...db,
        run: (one) => db.run(one),
        atomic: (list) => (list.length > 3 ? new Promise(() => {}) : db.atomic(list)),
      }),
    })
    void post('/rooms/w1/general', '{}', 'k1')
    const left = connection
      .prepare("select expires_at - unixepoch('subsec') * 1000 from keepsend_idempotency_marks")
      .pluck()
    while (left.get() === undefined) await settled()
    expect(left.get()).toBeGreaterThan(1000)
    expect(left.get()).toBeLessThanOrEqual(5000)
  })

  it('an answer that failed before the commit is not stored: the repeat does the work', async () => {
    const { post, count } = await apps()
    const bad = '{"type":"no good","data":{}}'
    expect((await post('/webhooks/events', bad, 'k1')).status).toBe(422)
    expect([count('keepsend_idempotency_records'), count('keepsend_idempotency_marks')]).toEqual([0, 0])
    const good = await post('/webhooks/events', EVENT, 'k1')
    expect([good.status, replayed(good)]).toEqual([202, null])
  })

  it('a record is kept a week and then forgotten', async () => {
    const { post, connection, engine, count } = await apps()
    await post('/rooms/w1/general', '{}', 'k1')
    const age = (days: number) =>
      connection
        .prepare('update keepsend_idempotency_records set created_at = (unixepoch() - ?) * 1000')
        .run(days * 86_400)
    age(6.9)
    expect(await engine.maintain()).toMatchObject({ deletedRecords: 0 })
    expect(replayed(await post('/rooms/w1/general', '{}', 'k1'))).toBe('true')
    age(7.1)
    expect(await engine.maintain()).toMatchObject({ deletedRecords: 1 })
    expect([replayed(await post('/rooms/w1/general', '{}', 'k1')), count('messages')]).toEqual([null, 2])
  })

  it('tables hold neither the key nor the body of a request', async () => {
    const { post, connection } = await apps()
    await post('/webhooks/events', '{"type":"a","data":{"secret":"s3cret"}}', 'my-private-key')
    expect(JSON.stringify(connection.prepare('select * from keepsend_idempotency_records').all())).not.toMatch(
      /my-private-key|s3cret/,
    )
  })
})

describe('a commit whose answer was lost', () => {
  /** The unit commits, and the connection breaks before it can say so. */
  const breaking = (db: OutboxDatabase): OutboxDatabase => ({
    ...db,
    run: (statement) => db.run(statement),
    async atomic(statements) {
      const results = await db.atomic(statements)
      if (statements.some((one) => 'sql' in one && one.sql.includes('into messages')))
        throw new OutboxError('outcome_unknown', 'the connection broke')
      return results
    },
  })

  it('is answered from the record, and nothing is written twice', async () => {
    const { post, count } = await apps({ wrap: breaking })
    const first = await post('/rooms/w1/general', '{}', 'k1')
    expect([first.status, await first.json()]).toEqual([201, { id: 'm1', text: '' }])
    const again = await post('/rooms/w1/general', '{}', 'k1')
    expect([again.status, replayed(again), await again.json()]).toEqual([201, 'true', { id: 'm1', text: '' }])
    expect([count('messages'), count('pending_events')]).toEqual([1, 1])
  })

  it('without a key is 500 outcome_unknown, and nothing is repeated', async () => {
    const { post, count } = await apps({ wrap: breaking })
    const response = await post('/rooms/w1/general', '{}')
    expect([response.status, await response.json()]).toEqual([
      500,
      expect.objectContaining({ code: 'outcome_unknown' }),
    ])
    expect([count('messages'), count('pending_events')]).toEqual([1, 1])
  })
})

it('a replay names no events of its own: the ids of this call were never kept', async () => {
  const { engine, rows } = await apps()
  const commit = () =>
    engine.commit({
      writes: [],
      events: [{ type: 'a', workspaceId: 'w1', data: {} }],
      idempotencyKey: { key: 'k', workspaceId: 'w1', method: 'POST', route: '/', body: '' },
    })
  const [first, second] = [await commit(), await commit()]
  expect(rows().map(({ id }) => id.slice(0, 40))).toEqual(first.eventIds)
  expect([second.replayed, second.eventIds]).toEqual([true, []])
})

it('a route that looks before it commits finds the first answer by recallAnswer, and nothing the first time', async () => {
  const { engine, connection, count } = await apps()
  connection.exec("insert into messages values ('m1', 'hi')")
  const app = new Hono()
  app.use(keepsend(engine))
  app.use(async (c, next) => (await recallAnswer(c, 'w1')) ?? next())
  app.delete('/messages/:id', async (c) => {
    if (count('messages') === 0) return c.notFound()
    return commitWithEvents(c, {
      writes: [{ sql: 'delete from messages where id = ?', params: [c.req.param('id')] }],
      events: [{ type: 'message.deleted', workspaceId: 'w1', data: {} }],
      response: { status: 200, body: { deleted: true } },
    })
  })
  const remove = (key: string) => app.request('/messages/m1', { method: 'DELETE', headers: { 'idempotency-key': key } })
  const answers = [await remove('k1'), await remove('k1'), await remove('k2'), await remove('"')]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 400])
  expect(answers.map(replayed)).toEqual([null, 'true', null, null])
  expect([count('pending_events'), count('keepsend_idempotency_marks')]).toEqual([1, 0])
})
