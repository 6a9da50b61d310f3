import { type OutboxDatabase, OutboxError, type Statement, newEventId, toSql } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type IdempotencyKey, insertQueuedEvent } from '../src/index.ts'
import { waitingStatement } from '../src/lib/row-ceiling.ts'
import { ends, event } from './limits.ts'
import { rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

/** The statements of the engine, as text. */
function asked() {
  const texts: string[] = []
  const wrap = (db: OutboxDatabase): OutboxDatabase => {
    const note = (statement: Statement): void => void texts.push(toSql(statement, db.dialect.name).sql)
    return {
      dialect: db.dialect,
      run<R extends object>(statement: Statement) {
        note(statement)
        return db.run<R>(statement)
      },
      atomic(statements) {
        for (const statement of statements) note(statement)
        return db.atomic(statements)
      },
    }
  }
  return { texts, wrap }
}

describe('deliveries of one publish', () => {
  const limits = { endpointsPerWorkspace: 20, deliveriesPerPublish: 10 }

  async function withEndpoints(count: number) {
    const made = await rig({ limits })
    for (let n = 0; n < count; n++) await made.addEndpoint()
    return made
  }

  it('are allowed up to the limit; with one more receiver nothing of the transaction is written', async () => {
    const made = await withEndpoints(10)
    expect(await made.engine.publish(event())).toMatchObject({ deliveries: 10 })
    await made.addEndpoint()
    const refusal = {
      code: 'too_many_deliveries',
      status: 413,
      message: 'one publish makes at most 10 deliveries (limits.deliveriesPerPublish), and this one has more receivers',
    }
    await expect(made.engine.publish(event())).rejects.toMatchObject(refusal)
    const writes = [{ sql: "insert into messages values ('m1', 'x')", params: [] }]
    await expect(made.engine.commit({ writes, events: [event()] })).rejects.toMatchObject(refusal)
    expect([await made.count('pending_events'), await made.count('messages')]).toEqual([10, 0])
    expect([made.engine.counters.degraded, made.messages.length]).toEqual([0, 10])
  })

  it('are refused for two concurrent publishes over the limit, and made for two at it', async () => {
    const made = await withEndpoints(10)
    expect(await ends([made.engine.publish(event()), made.engine.publish(event())])).toEqual(['ok', 'ok'])
    await made.addEndpoint()
    const two = [1, 2].map(() => made.engine.commit({ writes: [], events: [event()] }))
    expect(await ends(two)).toEqual(['too_many_deliveries', 'too_many_deliveries'])
    expect(await made.count('pending_events')).toBe(20)
  })

  it('are those of all its events together, whose receivers are counted once', async () => {
    const made = await withEndpoints(4)
    await made.addEndpoint({ eventTypes: ['rare.*', 'rare.one', '*'] })
    // With this endpoint the limit could be exceeded, so receivers are counted.
    await made.addEndpoint({ eventTypes: ['other'] })
    const commit = (...types: string[]) =>
      made.engine.commit({ writes: [], events: types.map((type) => event({ type, channels: ['x', 'y.z'] })) })
    await commit('a.b', 'rare.one')
    expect(await made.count('pending_events')).toBe(10)
    await expect(commit('a.b', 'rare.one', 'c.d')).rejects.toMatchObject({ code: 'too_many_deliveries' })
    expect(await made.count('pending_events')).toBe(10)
  })

  it('of several events count only subscribed endpoints', async () => {
    const made = await withEndpoints(0)
    for (let n = 0; n < 15; n++) await made.addEndpoint({ eventTypes: n < 5 ? ['few'] : ['many.*'] })
    const gone = await made.addEndpoint({ eventTypes: ['few'] })
    await made.engine.endpoints.setStatus('w1', gone.id, 'disabled')
    await made.exec('update keepsend_endpoints set disabled_at = 1 where id = ?', gone.id)
    await made.engine.commit({
      writes: [],
      events: [event({ type: 'few' }), event({ type: 'few' }), event({ type: 'none' })],
    })
    expect(await made.count('pending_events')).toBe(10)
    const twoWorkspaces = [event({ type: 'many.x' }), event({ type: 'few', workspaceId: 'w2' })]
    await made.engine.commit({ writes: [], events: twoWorkspaces })
    expect(await made.count('pending_events')).toBe(20)
    await made.addEndpoint({ workspaceId: 'w2' })
    await expect(made.engine.commit({ writes: [], events: twoWorkspaces })).rejects.toMatchObject({
      code: 'too_many_deliveries',
    })
  })

  it('are limited by the statement itself, in the host’s own transaction too', async () => {
    const made = await withEndpoints(11)
    const statements = made.engine.publishStatements({ ...event(), id: newEventId() })
    await expect(made.db.atomic(statements)).rejects.toThrow(/max_attempts/)
    expect(await made.count('pending_events')).toBe(0)
  })

  it('are limited for an event from a queue too', async () => {
    const made = await withEndpoints(11)
    const message = { type: 'a.b', workspaceId: 'w1', data: {}, eventId: newEventId() }
    await expect(insertQueuedEvent({ db: made.db, rowsStart: 'now', ...limits }, message)).rejects.toMatchObject({
      code: 'too_many_deliveries',
    })
    expect(await made.count('pending_events')).toBe(0)
  })

  it('are refused over HTTP as 413, also under a key, which can be used again', async () => {
    const made = await api({ limits: { deliveriesPerPublish: 1 } })
    await made.addEndpoint()
    await made.addEndpoint()
    const headers = {
      authorization: `Bearer ${made.keys.w1}`,
      'content-type': 'application/json',
      'idempotency-key': 'k1',
    }
    for (let n = 0; n < 2; n++) {
      const response = made.engine.routes.request('/events', {
        method: 'POST',
        headers,
        body: '{"type":"a","data":{}}',
      })
      expect(await read(response)).toEqual(problem(413, 'too_many_deliveries'))
    }
    expect(await made.count('keepsend_idempotency_marks')).toBe(0)
  })

  it('of operational webhooks are not limited, so that no settle fails because of them', async () => {
    const made = await rig({ operatorWorkspaceId: 'ops', limits: { deliveriesPerPublish: 1 }, answer: () => 400 })
    for (let n = 0; n < 3; n++) await made.addEndpoint({ workspaceId: 'ops', eventTypes: ['keepsend.*'] })
    await made.addEndpoint()
    await made.engine.publish(event())
    expect(await made.work()).toMatchObject([{ kind: 'fail' }])
    expect((await made.rows()).filter(({ type }) => type === 'keepsend.delivery.failed')).toHaveLength(3)
  })
})

describe('waiting deliveries of a workspace', () => {
  it('are allowed up to the limit; then each publish is 429, but not that of another workspace', async () => {
    let now = 0
    const made = await api({ limits: { waitingPerWorkspace: 3 }, monotonic: () => now })
    const { id } = await made.addEndpoint()
    await made.addEndpoint({ workspaceId: 'w2' })
    for (let n = 0; n < 3; n++) expect((await made.call('POST', '/events', { type: 'a', data: {} })).status).toBe(202)
    const refused = await made.call('POST', '/events', { type: 'a', data: {} })
    expect(refused.headers.get('retry-after')).toBe('10')
    expect(await read(refused)).toEqual(problem(429, 'too_many_waiting'))
    expect(await read(made.call('POST', `/endpoints/${id}/test`))).toEqual(problem(429, 'too_many_waiting'))
    await expect(made.engine.publish(event())).rejects.toMatchObject({
      code: 'too_many_waiting',
      retryAfterSeconds: 10,
    })
    expect(made.engine.counters.degraded).toBe(0)
    expect((await made.call('POST', '/events', { type: 'a', data: {} }, made.keys.w2)).status).toBe(202)
    await made.work({ limit: 2 })
    now += 1000
    expect((await made.call('POST', '/events', { type: 'a', data: {} })).status).toBe(202)
  })

  it('include test events', async () => {
    const made = await rig({ limits: { waitingPerWorkspace: 2 }, monotonic: () => 0 })
    const { id } = await made.addEndpoint()
    for (let n = 0; n < 2; n++) await made.engine.publishTest('w1', id)
    await expect(made.engine.publishTest('w1', id)).rejects.toMatchObject({ code: 'too_many_waiting' })
    expect(await made.count('pending_events')).toBe(2)
  })

  it('include held ones', async () => {
    const made = await rig({ limits: { waitingPerWorkspace: 2 } })
    const { id } = await made.addEndpoint()
    const other = await rig({ on: made, limits: { waitingPerWorkspace: 2 } })
    await made.engine.endpoints.setStatus('w1', id, 'disabled')
    await made.engine.commit({ writes: [], events: [event(), event()] })
    await expect(other.engine.publish(event())).rejects.toMatchObject({ code: 'too_many_waiting' })
  })

  it('are counted once a second per process, however many publish concurrently', async () => {
    let now = 0
    const { texts, wrap } = asked()
    const made = await rig({ limits: { waitingPerWorkspace: 1 }, monotonic: () => now, wrap })
    await made.addEndpoint()
    await made.engine.publish(event())
    const counts = () => texts.filter((text) => /'held'[^]*as "count"/.test(text)).length
    expect(counts()).toBe(1)
    expect(await ends([1, 2].map(() => made.engine.publish(event())))).toEqual(['too_many_waiting', 'too_many_waiting'])
    expect(counts()).toBe(1)
    now += 1000
    expect(await ends([1, 2].map(() => made.engine.publish(event())))).toEqual(['too_many_waiting', 'too_many_waiting'])
    expect(counts()).toBe(2)
    expect(await made.count('pending_events')).toBe(1)
  })

  it('cause no refusal if they cannot be counted: that is logged, and the commit continues', async () => {
    const broken = new OutboxError('commit_unconfirmed', 'the connection ended')
    const made = await rig({
      limits: { waitingPerWorkspace: 1 },
      wrap: (db) => ({
        ...db,
        run: (one) => (/as "count"/.test(toSql(one, db.dialect.name).sql) ? Promise.reject(broken) : db.run(one)),
      }),
    })
    await made.addEndpoint()
    await made.engine.commit({ writes: [], events: [event()] })
    expect(made.log.entries).toMatchObject([
      { level: 'warn', fields: { workspaceId: 'w1', code: 'commit_unconfirmed' } },
    ])
    expect(await made.count('pending_events')).toBe(1)
  })

  it('are counted up to the limit: in the lanes, and held ones of each endpoint', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint()
    const { id: other } = await made.addEndpoint({ eventTypes: ['other'] })
    const counted = async (most: number) =>
      (await made.db.run<{ count: unknown }>(waitingStatement(made.db, 'w1', most))).rows.map(({ count }) =>
        Number(count),
      )
    await made.engine.commit({ writes: [], events: Array.from({ length: 5 }, () => event()) })
    expect([await counted(2), await counted(10)]).toEqual([[2], [5]])
    for (const one of [id, other]) await made.engine.endpoints.setStatus('w1', one, 'disabled')
    await made.engine.commit({ writes: [], events: Array.from({ length: 4 }, () => event({ type: 'other' })) })
    await made.exec("update pending_events set status = 'held', ready = 0, hold_reason = 'endpoint_disabled'")
    expect([await counted(2), await counted(10)]).toEqual([[2 + 2], [9 + 4]])
  })

  it('are not counted for a repeated request', async () => {
    const made = await rig({ limits: { waitingPerWorkspace: 1 } })
    await made.addEndpoint()
    const idempotencyKey: IdempotencyKey = { key: 'k', workspaceId: 'w1', method: 'POST', route: '/', body: '' }
    const commit = () => made.engine.commit({ writes: [], events: [event()], idempotencyKey })
    expect([(await commit()).replayed, (await commit()).replayed]).toEqual([false, true])
    await expect(made.engine.commit({ writes: [], events: [event()] })).rejects.toMatchObject({ status: 429 })
  })
})
