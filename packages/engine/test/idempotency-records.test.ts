import { type OutboxDatabase, OutboxError } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { commitWithEvents, keepsend, replayIdempotentResponse } from '../src/index.ts'
import { apps, gated, replayed } from './idempotency-rig.ts'
import { rig, settled } from './rig.ts'

const EVENT = '{"type":"message.created","data":{"text":"hi"}}'

describe('two requests that both passed the mark', () => {
  /** The answers to both, and the rows that they wrote. */
  async function race(bodies: [string, string]) {
    const { wrap, arm, arrived, open } = gated()
    const { post, exec, count } = await apps({ wrap })
    arm()
    const first = post('/rooms/w1/general', bodies[0], 'k1')
    await arrived[0].promise
    await exec('delete from keepsend_idempotency_marks')
    const second = post('/rooms/w1/general', bodies[1], 'k1')
    await arrived[1].promise
    open.resolve()
    const left = () =>
      Promise.all(
        ['messages', 'pending_events', 'keepsend_idempotency_records', 'keepsend_idempotency_marks'].map(count),
      )
    return { answers: [await first, await second], left }
  }

  it('make one commit; the other is answered from its record', async () => {
    const { answers, left } = await race(['{}', '{}'])
    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    expect(answers.filter((answer) => replayed(answer) === 'true')).toHaveLength(1)
    expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1)
    expect(await left()).toEqual([1, 1, 1, 0])
  })

  it('with different bodies: one commits, the other is 422', async () => {
    const { answers, left } = await race(['{"text":"a"}', '{"text":"b"}'])
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 422]))
    expect(await left()).toEqual([1, 1, 1, 0])
  })
})

describe('marks and records', () => {
  it('the mark of a crashed request blocks until it expires, and no longer', async () => {
    const { post, exec, expire, count } = await apps()
    await post('/rooms/w1/general', '{}', 'k1')
    // The state after the first request crashed before its commit: a mark and no record.
    await exec(`
      insert into keepsend_idempotency_marks
      select workspace_id, method, route, key_hash, 'the dead', (select ms from keepsend_clock) + 60000
      from keepsend_idempotency_records`)
    for (const table of ['keepsend_idempotency_records', 'messages', 'pending_events'])
      await exec(`delete from ${table}`)
    expect((await post('/rooms/w1/general', '{}', 'k1')).status).toBe(409)
    await expire()
    const response = await post('/rooms/w1/general', '{}', 'k1')
    expect([
      response.status,
      replayed(response),
      await count('messages'),
      await count('keepsend_idempotency_marks'),
    ]).toEqual([201, null, 1, 0])
  })

  it('a mark lasts five seconds, so that the client of a crashed request waits no longer', async () => {
    let isStuck = false
    const { post, select } = await apps({
      wrap: (db) => ({
        ...db,
        run: (one) => db.run(one),
        atomic: (list) => (isStuck && list.length > 3 ? new Promise(() => {}) : db.atomic(list)),
      }),
    })
    isStuck = true
    void post('/rooms/w1/general', '{}', 'k1')
    const left = async () =>
      (await select('select expires_at - (select ms from keepsend_clock) as ms from keepsend_idempotency_marks'))[0]?.[
        'ms'
      ]
    while ((await left()) === undefined) await settled()
    expect(await left()).toBeGreaterThan(1000)
    expect(await left()).toBeLessThanOrEqual(5000)
  })

  it('an answer that failed before the commit is not stored: the repeat does the work', async () => {
    const { post, count } = await apps()
    const bad = '{"type":"no good","data":{}}'
    expect((await post('/webhooks/events', bad, 'k1')).status).toBe(422)
    expect([await count('keepsend_idempotency_records'), await count('keepsend_idempotency_marks')]).toEqual([0, 0])
    const good = await post('/webhooks/events', EVENT, 'k1')
    expect([good.status, replayed(good)]).toEqual([202, null])
  })

  it('a record is retained for a week and then deleted', async () => {
    const { post, exec, engine, count } = await apps()
    await post('/rooms/w1/general', '{}', 'k1')
    const age = (days: number) =>
      exec(
        'update keepsend_idempotency_records set created_at = (select ms from keepsend_clock) - ?',
        days * 86_400_000,
      )
    await age(6.9)
    expect(await engine.worker.maintain()).toMatchObject({ deletedRecords: 0 })
    expect(replayed(await post('/rooms/w1/general', '{}', 'k1'))).toBe('true')
    await age(7.1)
    expect(await engine.worker.maintain()).toMatchObject({ deletedRecords: 1 })
    expect([replayed(await post('/rooms/w1/general', '{}', 'k1')), await count('messages')]).toEqual([null, 2])
  })

  it('the tables contain neither the key nor the body of a request', async () => {
    const { post, select } = await apps()
    await post('/webhooks/events', '{"type":"a","data":{"secret":"s3cret"}}', 'my-private-key')
    expect(JSON.stringify(await select('select * from keepsend_idempotency_records'))).not.toMatch(
      /my-private-key|s3cret/,
    )
  })
})

describe('a request under a key while the database accepts no writes', () => {
  const retry = (response: Response) => [response.status, response.headers.get('retry-after')]

  it('is 503 with Retry-After, like one without a key', async () => {
    const { post, readOnly, count } = await apps()
    await readOnly(true)
    for (const key of ['k1', undefined]) {
      expect(retry(await post('/rooms/w1/general', '{}', key))).toEqual([503, '1'])
      expect(retry(await post('/webhooks/events', EVENT, key))).toEqual([503, '1'])
      expect(retry(await post('/webhooks/endpoints', '{"url":"https://hooks.example.com/"}', key))).toEqual([503, '1'])
    }
    await readOnly(false)
    expect((await post('/rooms/w1/general', '{}', 'k1')).status).toBe(201)
    expect(await count('messages')).toBe(1)
  })

  it.each(['not_accepted', 'commit_unconfirmed'] as const)(
    'is 503 if setting its mark fails with %s: nothing was committed',
    async (code) => {
      const { post, count } = await apps({
        wrap: (db) => ({
          ...db,
          run: async (one) => {
            if ('sql' in one && one.sql.includes('into keepsend_idempotency_marks'))
              throw new OutboxError(code, 'broke')
            return db.run(one)
          },
        }),
      })
      expect(retry(await post('/rooms/w1/general', '{}', 'k1'))).toEqual([503, '1'])
      expect(await count('messages')).toBe(0)
    },
  )

  it('is 503 with Retry-After in replayIdempotentResponse', async () => {
    const { engine } = await rig({
      wrap: (db) => ({
        ...db,
        run: async (one) => {
          if ('sql' in one && one.sql.includes('keepsend_idempotency_records'))
            throw new OutboxError('not_accepted', 'busy')
          return db.run(one)
        },
      }),
    })
    const app = new Hono()
    app.use(keepsend(engine))
    app.use(async (c, next) => (await replayIdempotentResponse(c, 'w1')) ?? next())
    const answer = await app.request('/', { method: 'POST', headers: { 'idempotency-key': 'k1' } })
    expect(retry(answer)).toEqual([503, '1'])
  })
})

describe('a commit whose answer was lost', () => {
  /** The transaction commits, and the connection breaks before the answer. */
  const breaking =
    (tried: () => void) =>
    (db: OutboxDatabase): OutboxDatabase => ({
      ...db,
      run: (statement) => db.run(statement),
      async atomic(statements) {
        const ours = statements.some((one) => 'sql' in one && one.sql.includes('into messages'))
        if (ours) tried()
        const results = await db.atomic(statements)
        if (ours) throw new OutboxError('commit_unconfirmed', 'the connection broke')
        return results
      },
    })

  it('is answered from the record, and writes nothing twice', async () => {
    let tried = 0
    const { post, count } = await apps({ wrap: breaking(() => tried++) })
    const first = await post('/rooms/w1/general', '{}', 'k1')
    expect([first.status, await first.json()]).toEqual([201, { id: 'm1', text: '' }])
    const again = await post('/rooms/w1/general', '{}', 'k1')
    expect([again.status, replayed(again), await again.json()]).toEqual([201, 'true', { id: 'm1', text: '' }])
    expect([tried, await count('messages'), await count('pending_events')]).toEqual([1, 1, 1])
  })

  it('is 500 commit_unconfirmed without a key, and is not repeated', async () => {
    let tried = 0
    const { post, count } = await apps({ wrap: breaking(() => tried++) })
    const response = await post('/rooms/w1/general', '{}')
    expect([response.status, await response.json()]).toEqual([
      500,
      expect.objectContaining({ code: 'commit_unconfirmed' }),
    ])
    expect([tried, await count('messages'), await count('pending_events')]).toEqual([1, 1, 1])
  })
})

it('a replayed result has no event ids, because those of this call were never stored', async () => {
  const { engine, rows } = await apps()
  const commit = () =>
    engine.commit({
      writes: [],
      events: [{ type: 'a', workspaceId: 'w1', data: {} }],
      idempotencyKey: { key: 'k', workspaceId: 'w1', method: 'POST', route: '/', body: '' },
    })
  const [first, second] = [await commit(), await commit()]
  expect((await rows()).map(({ id }) => id.slice(0, 40))).toEqual(first.eventIds)
  expect([second.replayed, second.eventIds]).toEqual([true, []])
})

it('replayIdempotentResponse finds nothing the first time, and then the first answer', async () => {
  const { engine, exec, count } = await apps()
  await exec("insert into messages values ('m1', 'hi')")
  const app = new Hono()
  app.use(keepsend(engine))
  app.use(async (c, next) => (await replayIdempotentResponse(c, 'w1')) ?? next())
  app.delete('/messages/:id', async (c) => {
    if ((await count('messages')) === 0) return c.notFound()
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
  expect([await count('pending_events'), await count('keepsend_idempotency_marks')]).toEqual([1, 0])
})
