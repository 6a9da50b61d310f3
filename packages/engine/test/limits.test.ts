import { type OutboxDatabase, OutboxError, type Statement, newEventId, toSql } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import type { IdempotencyKey } from '../src/index.ts'
import { recordsStatement } from '../src/lib/ceiling.ts'
import { type Rig, rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

const ENDPOINT = { url: 'https://hooks.example.com/' }
const event = (parts: object = {}) => ({ type: 'a.b', workspaceId: 'w1', data: {}, ...parts })

/** What two that began at the same time came to: the codes of refusals, and `ok`, in alphabetical order. */
async function ends(work: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(work)
  return settled
    .map((one) => (one.status === 'fulfilled' ? 'ok' : (one.reason as { code?: unknown }).code))
    .toSorted((one, other) => String(one).localeCompare(String(other)))
}

/** Statements that the engine asks, as text. */
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

describe('endpoints of a workspace', () => {
  it('are 100 unless said otherwise, and the next is refused before anything of it is written', async () => {
    const { engine, count } = await rig()
    for (let made = 0; made < 100; made++) await engine.endpoints.create('w1', ENDPOINT)
    await expect(engine.endpoints.create('w1', ENDPOINT)).rejects.toMatchObject({
      code: 'too_many_endpoints',
      status: 409,
      message: 'a workspace has at most 100 endpoints (limits.endpointsPerWorkspace), and this one has as many',
    })
    const tables = ['keepsend_endpoints', 'keepsend_subscriptions', 'keepsend_secrets']
    expect(await Promise.all(tables.map(count))).toEqual([100, 100, 100])
    await engine.endpoints.create('w2', ENDPOINT)
  })

  it('are no more when two are made side by side at the limit: one of the two is 409', async () => {
    const { engine, count } = await rig({ limits: { endpointsPerWorkspace: 3 } })
    for (let round = 0; round < 10; round++) {
      const workspaceId = `w${round}`
      for (let made = 0; made < 2; made++) await engine.endpoints.create(workspaceId, ENDPOINT)
      const two = [1, 2].map(() => engine.endpoints.create(workspaceId, ENDPOINT))
      expect(await ends(two)).toEqual(['ok', 'too_many_endpoints'])
    }
    expect(await count('keepsend_endpoints')).toBe(30)
  })

  it('have room again when one was deleted, and a lower limit leaves those that are there', async () => {
    const { engine, ...on } = await rig({ limits: { endpointsPerWorkspace: 2 } })
    const { endpoint } = await engine.endpoints.create('w1', ENDPOINT)
    await engine.endpoints.create('w1', ENDPOINT)
    await engine.endpoints.delete('w1', endpoint.id)
    const { endpoint: again } = await engine.endpoints.create('w1', ENDPOINT)
    const lower = await rig({ on, limits: { endpointsPerWorkspace: 1 } })
    await lower.engine.endpoints.update('w1', again.id, { description: 'x' })
    await expect(lower.engine.endpoints.create('w1', ENDPOINT)).rejects.toMatchObject({ code: 'too_many_endpoints' })
  })

  it('are refused over HTTP as a problem, with and without an Idempotency-Key', async () => {
    const { call, engine, keys, addEndpoint } = await api({ limits: { endpointsPerWorkspace: 1 } })
    await addEndpoint()
    expect(await read(call('POST', '/endpoints', ENDPOINT))).toEqual(problem(409, 'too_many_endpoints'))
    const headers = {
      authorization: `Bearer ${keys.w1}`,
      'content-type': 'application/json',
      'idempotency-key': 'k1',
    }
    const again = engine.routes.request('/endpoints', { method: 'POST', headers, body: JSON.stringify(ENDPOINT) })
    expect(await read(again)).toEqual(problem(409, 'too_many_endpoints'))
  })
})

describe('subscriptions of an endpoint', () => {
  const types = (count: number) => Array.from({ length: count }, (_, n) => `type.n${n}`)

  it('are event types × channels, 100 at most unless said otherwise', async () => {
    const { engine, count } = await rig()
    const wide = { ...ENDPOINT, eventTypes: types(50), channels: ['a', 'b', 'c'] }
    await expect(engine.endpoints.create('w1', wide)).rejects.toMatchObject({
      code: 'invalid_endpoint',
      message: 'eventTypes × channels must be at most 100 (limits.subscriptionsPerEndpoint); found 150',
    })
    expect(await count('keepsend_endpoints')).toBe(0)
    const { endpoint } = await engine.endpoints.create('w1', { ...wide, channels: ['a', 'b'] })
    await expect(engine.endpoints.update('w1', endpoint.id, { channels: ['a', 'b', 'c'] })).rejects.toMatchObject({
      code: 'invalid_endpoint',
    })
    expect([await count('keepsend_subscriptions'), await engine.endpoints.get('w1', endpoint.id)]).toMatchObject([
      100,
      { channels: ['a', 'b'], version: 1 },
    ])
  })

  it('are no more when two changes side by side widen it, one its types and one its channels', async () => {
    const { engine, count } = await rig({ limits: { subscriptionsPerEndpoint: 6 } })
    for (let round = 0; round < 10; round++) {
      const { endpoint } = await engine.endpoints.create('w1', { ...ENDPOINT, eventTypes: ['a'], channels: ['a'] })
      const change = (part: object) => engine.endpoints.update('w1', endpoint.id, part)
      const both = [change({ eventTypes: types(3) }), change({ channels: ['a', 'b', 'c'] })]
      expect(await ends(both)).toEqual(['invalid_endpoint', 'ok'])
    }
    expect(await count('keepsend_subscriptions')).toBe(30)
  })

  it('are written only where they changed', async () => {
    const made = await rig()
    const wide = { eventTypes: types(50), channels: ['a', 'b'] }
    const { endpoint } = await made.engine.endpoints.create('w1', { ...ENDPOINT, ...wide })
    const changes = await changesOf(made, 'keepsend_subscriptions')
    await made.engine.endpoints.update('w1', endpoint.id, { ...wide, channels: ['b', 'a'], description: 'x' })
    expect(await changes()).toEqual([])
    await made.engine.endpoints.update('w1', endpoint.id, { eventTypes: [...types(49), 'another.one'] })
    expect(await changes()).toEqual(['delete', 'delete', 'insert', 'insert'])
    expect(await made.count('keepsend_subscriptions')).toBe(100)
  })
})

/** The changes of a table's rows from here on, by triggers. */
async function changesOf({ db, exec, select }: Rig, table: string): Promise<() => Promise<unknown[]>> {
  await exec('create table changed (what text)')
  if (db.dialect.name === 'postgres') {
    await exec(`create function note() returns trigger language plpgsql as
      'begin insert into changed values (lower(tg_op)); return null; end'`)
    await exec(`create trigger noted after insert or update or delete on ${table} for each row execute function note()`)
  } else {
    for (const what of ['insert', 'update', 'delete']) {
      await exec(
        `create trigger on_${what} after ${what} on ${table} begin insert into changed values ('${what}'); end`,
      )
    }
  }
  return async () => (await select('select what from changed order by what')).map((row) => row['what'])
}

describe('deliveries of one publish', () => {
  const limits = { endpointsPerWorkspace: 20, deliveriesPerPublish: 10 }

  async function withEndpoints(count: number) {
    const made = await rig({ limits })
    for (let n = 0; n < count; n++) await made.addEndpoint()
    return made
  }

  it('are as many as the limit; with one more receiver none is made, and nothing of its transaction', async () => {
    const made = await withEndpoints(10)
    expect(await made.engine.send(event())).toMatchObject({ deliveries: 10 })
    await made.addEndpoint()
    const refusal = {
      code: 'too_many_deliveries',
      status: 413,
      message: 'one publish makes at most 10 deliveries (limits.deliveriesPerPublish), and this one has more receivers',
    }
    await expect(made.engine.send(event())).rejects.toMatchObject(refusal)
    const writes = [{ sql: "insert into messages values ('m1', 'x')", params: [] }]
    await expect(made.engine.commit({ writes, events: [event()] })).rejects.toMatchObject(refusal)
    expect([await made.count('pending_events'), await made.count('messages')]).toEqual([10, 0])
    expect([made.engine.counters.degraded, made.messages.length]).toEqual([0, 10])
  })

  it('are none when two publish side by side over the limit, and both are made at it', async () => {
    const made = await withEndpoints(10)
    expect(await ends([made.engine.send(event()), made.engine.send(event())])).toEqual(['ok', 'ok'])
    await made.addEndpoint()
    const two = [1, 2].map(() => made.engine.commit({ writes: [], events: [event()] }))
    expect(await ends(two)).toEqual(['too_many_deliveries', 'too_many_deliveries'])
    expect(await made.count('pending_events')).toBe(20)
  })

  it('are those of all its events together, whose receivers are counted once', async () => {
    const made = await withEndpoints(4)
    await made.addEndpoint({ eventTypes: ['rare.*', 'rare.one', '*'] })
    const commit = (...types: string[]) =>
      made.engine.commit({ writes: [], events: types.map((type) => event({ type, channels: ['x', 'y.z'] })) })
    await commit('a.b', 'rare.one')
    expect(await made.count('pending_events')).toBe(10)
    await expect(commit('a.b', 'rare.one', 'c.d')).rejects.toMatchObject({ code: 'too_many_deliveries' })
    expect(await made.count('pending_events')).toBe(10)
  })

  it('of several events count only endpoints that want them', async () => {
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

  it('are held by the statement, in a transaction of the host’s too', async () => {
    const made = await withEndpoints(11)
    const statement = made.engine.publishStatement(
      event({ id: newEventId() }) as ReturnType<typeof event> & { id: string },
    )
    await expect(made.db.atomic([statement])).rejects.toThrow(/max_attempts/)
    expect(await made.count('pending_events')).toBe(0)
  })

  it('are refused over HTTP as 413, under a key too, which is free afterwards', async () => {
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

  it('of what Keepsend itself reports are not limited: no settle fails for them', async () => {
    const made = await rig({ operatorWorkspaceId: 'ops', limits: { deliveriesPerPublish: 1 }, answer: () => 400 })
    for (let n = 0; n < 3; n++) await made.addEndpoint({ workspaceId: 'ops', eventTypes: ['keepsend.*'] })
    await made.addEndpoint()
    await made.engine.send(event())
    expect(await made.work()).toMatchObject([{ kind: 'dead' }])
    expect((await made.rows()).filter(({ type }) => type === 'keepsend.delivery.failed')).toHaveLength(3)
  })
})

describe('deliveries of a workspace that wait', () => {
  it('are as many as the limit; from there on each publish is 429, and a neighbour’s is none', async () => {
    let now = 0
    const made = await api({ limits: { waitingPerWorkspace: 3 }, monotonic: () => now })
    const { id } = await made.addEndpoint()
    await made.addEndpoint({ workspaceId: 'w2' })
    for (let n = 0; n < 3; n++) expect((await made.call('POST', '/events', { type: 'a', data: {} })).status).toBe(202)
    const refused = await made.call('POST', '/events', { type: 'a', data: {} })
    expect(refused.headers.get('retry-after')).toBe('10')
    expect(await read(refused)).toEqual(problem(429, 'too_many_waiting'))
    expect(await read(made.call('POST', `/endpoints/${id}/test`))).toEqual(problem(429, 'too_many_waiting'))
    await expect(made.engine.send(event())).rejects.toMatchObject({ code: 'too_many_waiting', retryAfterSeconds: 10 })
    expect(made.engine.counters.degraded).toBe(0)
    expect((await made.call('POST', '/events', { type: 'a', data: {} }, made.keys.w2)).status).toBe(202)
    await made.work({ limit: 2 })
    now += 1000
    expect((await made.call('POST', '/events', { type: 'a', data: {} })).status).toBe(202)
  })

  it('are those that are held as well', async () => {
    const made = await rig({ limits: { waitingPerWorkspace: 2 } })
    const { id } = await made.addEndpoint()
    const other = await rig({ on: made, limits: { waitingPerWorkspace: 2 } })
    await made.engine.endpoints.setStatus('w1', id, 'disabled')
    await made.engine.commit({ writes: [], events: [event(), event()] })
    await expect(other.engine.send(event())).rejects.toMatchObject({ code: 'too_many_waiting' })
  })

  it('are counted once a second by a process, however many publish side by side', async () => {
    let now = 0
    const { texts, wrap } = asked()
    const made = await rig({ limits: { waitingPerWorkspace: 1 }, monotonic: () => now, wrap })
    await made.addEndpoint()
    await made.engine.send(event())
    const counts = () => texts.filter((text) => /'held'[^]*as "count"/.test(text)).length
    expect(counts()).toBe(1)
    expect(await ends([1, 2].map(() => made.engine.send(event())))).toEqual(['too_many_waiting', 'too_many_waiting'])
    expect(counts()).toBe(1)
    now += 1000
    expect(await ends([1, 2].map(() => made.engine.send(event())))).toEqual(['too_many_waiting', 'too_many_waiting'])
    expect(counts()).toBe(2)
    expect(await made.count('pending_events')).toBe(1)
  })

  it('that cannot be counted refuse nobody: the log says so, and the commit goes on', async () => {
    const broken = new OutboxError('outcome_unknown', 'the connection ended')
    const made = await rig({
      limits: { waitingPerWorkspace: 1 },
      wrap: (db) => ({
        ...db,
        run: (one) => (/as "count"/.test(toSql(one, db.dialect.name).sql) ? Promise.reject(broken) : db.run(one)),
      }),
    })
    await made.addEndpoint()
    await made.engine.commit({ writes: [], events: [event()] })
    expect(made.log.entries).toMatchObject([{ level: 'warn', fields: { workspaceId: 'w1', code: 'outcome_unknown' } }])
    expect(await made.count('pending_events')).toBe(1)
  })

  it('are not counted for the repeat of a request that was answered', async () => {
    const made = await rig({ limits: { waitingPerWorkspace: 1 } })
    await made.addEndpoint()
    const idempotencyKey: IdempotencyKey = { key: 'k', workspaceId: 'w1', method: 'POST', route: '/', body: '' }
    const commit = () => made.engine.commit({ writes: [], events: [event()], idempotencyKey })
    expect([(await commit()).replayed, (await commit()).replayed]).toEqual([false, true])
    await expect(made.engine.commit({ writes: [], events: [event()] })).rejects.toMatchObject({ status: 429 })
  })
})

describe('idempotency records', () => {
  const key = (name: string, workspaceId = 'w1'): IdempotencyKey => ({
    key: name,
    workspaceId,
    method: 'POST',
    route: '/',
    body: '',
  })

  it('of a workspace are as many as the limit; another request under a key is 429, a repeat is answered', async () => {
    const made = await rig({ limits: { idempotencyRecordsPerWorkspace: 2 } })
    const commit = (idempotencyKey: IdempotencyKey) => made.engine.commit({ writes: [], events: [], idempotencyKey })
    await commit(key('a'))
    await commit(key('b'))
    expect(await ends([commit(key('c')), commit(key('d'))])).toEqual([
      'too_many_idempotency_records',
      'too_many_idempotency_records',
    ])
    await expect(commit(key('c'))).rejects.toMatchObject({ status: 429, retryAfterSeconds: 60 })
    expect((await commit(key('a'))).replayed).toBe(true)
    expect((await commit(key('a', 'w2'))).replayed).toBe(false)
    expect([await made.count('keepsend_idempotency_records'), await made.count('keepsend_idempotency_marks')]).toEqual([
      3, 0,
    ])
  })

  it('of which more than 50,000 may be there are counted by one in 16 or 256 of their hashes, others each time', async () => {
    const made = await rig()
    const hashes = Array.from({ length: 512 }, (_, n) => `${(n % 256).toString(16).padStart(2, '0')}${n}`)
    const rows = hashes.map((hash) => `('w1', 'POST', '/', '${hash}', '', 0, 200, '')`)
    await made.exec(`insert into keepsend_idempotency_records values ${rows.join(', ')}`)
    for (const [most, share] of [
      [50_000, 1],
      [800_000, 16],
      [10_000_000, 256],
    ] as const) {
      for (const drawn of [0, 0.5, 0.999]) {
        const sample = recordsStatement('w1', most, () => drawn)
        const found = await made.db.run<{ count: number }>(sample.statement)
        expect([sample.share, found.rows]).toEqual([share, [{ count: 512 / share }]])
      }
    }
  })

  it('are forgotten after the retention that was asked for', async () => {
    const made = await rig({ idempotencyRetentionMs: 60_000 })
    await made.engine.commit({ writes: [], events: [], idempotencyKey: key('a') })
    expect(await made.engine.maintain()).toMatchObject({ deletedRecords: 0 })
    await made.exec('update keepsend_idempotency_records set created_at = created_at - 60001')
    expect(await made.engine.maintain()).toMatchObject({ deletedRecords: 1 })
  })
})

describe('requests of a key', () => {
  it('are not limited unless somebody says so', async () => {
    const { call } = await api({ monotonic: () => 0 })
    const answers = await Promise.all(Array.from({ length: 50 }, () => call('GET', '/endpoints')))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  })

  it('are as many a second as the limit; of two side by side at it one is 429, and another key’s is none', async () => {
    let now = 0
    const { call, engine, keys } = await api({ limits: { requestsPerSecond: 3 }, monotonic: () => now })
    const statuses = async (count: number, key = keys.w1) =>
      (await Promise.all(Array.from({ length: count }, () => call('GET', '/endpoints', undefined, key))))
        .map(({ status }) => status)
        .toSorted((one, other) => one - other)
    expect(await statuses(2)).toEqual([200, 200])
    expect(await statuses(2)).toEqual([200, 429])
    const refused = await call('GET', '/endpoints')
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await read(refused)).toEqual(problem(429, 'too_many_requests'))
    const { key: second } = await engine.apiKeys.create({ workspaceId: 'w1' })
    expect([await statuses(1, second), await statuses(1, keys.w2)]).toEqual([[200], [200]])
    now += 1000
    expect(await statuses(4)).toEqual([200, 200, 200, 429])
  })

  it('that a host authenticates itself are counted by the workspace', async () => {
    let workspaceId = 'w1'
    const { call } = await api({
      limits: { requestsPerSecond: 1 },
      monotonic: () => 0,
      authenticate: async () => ({ workspaceId, scopes: ['endpoints:read'] }),
    })
    const status = async () => (await call('GET', '/endpoints')).status
    expect([await status(), await status()]).toEqual([200, 429])
    workspaceId = 'w2'
    expect([await status(), await status()]).toEqual([200, 429])
  })
})

it.each([
  ['endpointsPerWorkspace', 100_000],
  ['subscriptionsPerEndpoint', 500],
  ['deliveriesPerPublish', 1_000_000],
  ['waitingPerWorkspace', 10_000_000],
  ['requestsPerSecond', 100_000],
  ['idempotencyRecordsPerWorkspace', 1_000_000_000],
])('limits.%s out of its bounds is refused by name, bound and value', async (name, most) => {
  for (const value of [0, most + 1, 1.5, Number.NaN]) {
    await expect(rig({ limits: { [name]: value } })).rejects.toMatchObject({
      code: 'invalid_option',
      message: `limits.${name} must be a whole number from 1 to ${most}; found ${value}`,
    })
  }
})
