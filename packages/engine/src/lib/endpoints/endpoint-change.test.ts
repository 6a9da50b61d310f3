import { type OutboxDatabase, OutboxError, type Statement, toSql } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { type Principal, commitWithEvents, keepsend } from '../../index.ts'
import { rig } from '../../../test/rig.ts'
import { api, problem, read } from '../../../test/routes.ts'

const ROUNDS = 20

/** Makes both changes of a new endpoint concurrently, many times; returns the resulting endpoints. */
async function together(one: object, other: object) {
  const made = await rig()
  const endpoints = await Promise.all(
    Array.from({ length: ROUNDS }, async () => {
      const { endpoint } = await made.engine.endpoints.create('w1', { url: 'https://hooks.example.com/old' })
      await Promise.all([one, other].map((change) => made.engine.endpoints.update('w1', endpoint.id, change)))
      return made.engine.endpoints.get('w1', endpoint.id)
    }),
  )
  return { made, endpoints }
}

describe('two concurrent changes of an endpoint', () => {
  it.each([
    ['a URL and a description', { url: 'https://hooks.example.com/new' }, { description: 'x' }],
    ['event types and a description', { eventTypes: ['safe.only'] }, { description: 'x' }],
    ['channels and event types', { channels: ['general'] }, { eventTypes: ['safe.only'] }],
    ['a schedule and a rate limit', { retrySchedule: [5, 6] }, { rateLimit: 7 }],
    ['a rate limit and its period', { rateLimit: 7 }, { ratePeriod: 'hour' }],
    ['null and a value', { deadlineMs: null }, { concurrency: 3 }],
  ])('are both written: %s', async (_what, one, other) => {
    const { endpoints } = await together(one, other)
    expect(endpoints).toMatchObject(endpoints.map(() => ({ ...one, ...other, version: 3 })))
  })

  it('write the subscriptions of both, and mix neither event types nor channels with older ones', async () => {
    const { made } = await together({ eventTypes: ['a.b', 'a.b'] }, { channels: ['general'] })
    const rows = await made.select('select distinct pattern, channel from keepsend_subscriptions')
    expect(rows).toEqual([{ pattern: 'a.b', channel: 'general' }])
    expect(await made.select('select 1 from keepsend_subscriptions')).toHaveLength(ROUNDS)
  })

  it('write no subscription when neither event types nor channels are given', async () => {
    const asked: string[] = []
    const wrap = (db: OutboxDatabase): OutboxDatabase => ({
      dialect: db.dialect,
      run: <R extends object>(statement: Statement) => db.run<R>(statement),
      atomic(statements) {
        asked.push(...statements.map((statement) => toSql(statement, db.dialect.name).sql))
        return db.atomic(statements)
      },
    })
    const { engine } = await rig({ wrap })
    const { endpoint } = await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
    expect(asked.filter((sql) => sql.includes('keepsend_subscriptions'))).toHaveLength(1)
    await engine.endpoints.update('w1', endpoint.id, { description: 'x' })
    expect(asked.filter((sql) => sql.includes('keepsend_subscriptions'))).toHaveLength(1)
  })
})

describe('a change of the version that was read', () => {
  it('is made; one of an older version is refused and writes nothing', async () => {
    const { engine, select } = await rig()
    const { endpoint } = await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
    const { id, version } = endpoint
    const changed = await engine.endpoints.update('w1', id, { description: 'first' }, { ifVersion: version })
    const late = { description: 'late', eventTypes: ['a.b'], signatures: ['v1', 'v1a'] } as const
    for (const refused of [
      () => engine.endpoints.update('w1', id, late, { ifVersion: version }),
      () => engine.endpoints.delete('w1', id, { ifVersion: version }),
    ]) {
      await expect(refused()).rejects.toMatchObject({ code: 'precondition_failed', status: 412 })
    }
    expect(await engine.endpoints.get('w1', id)).toEqual(changed)
    expect(await select('select pattern from keepsend_subscriptions')).toEqual([{ pattern: '*' }])
    expect(await select('select scheme from keepsend_secrets')).toEqual([{ scheme: 'v1' }])
  })

  it('is made by one of two that read the same version', async () => {
    const { engine } = await rig()
    const { endpoint } = await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
    const changes = ['a', 'b', 'c'].map((description) =>
      engine.endpoints.update('w1', endpoint.id, { description }, { ifVersion: endpoint.version }),
    )
    const ends = (await Promise.allSettled(changes)).map(({ status }) => status)
    expect(ends.toSorted()).toEqual(['fulfilled', 'rejected', 'rejected'])
  })

  it("rejects with the error of the storage, not as an older version, when the commit's answer is lost", async () => {
    const unknown = new OutboxError('commit_unconfirmed', 'the connection ended')
    let isLosing = false
    const wrap = (db: OutboxDatabase): OutboxDatabase => ({
      dialect: db.dialect,
      run: <R extends object>(statement: Statement) => db.run<R>(statement),
      async atomic(statements) {
        const results = await db.atomic(statements)
        if (isLosing) throw unknown
        return results
      },
    })
    const { engine } = await rig({ wrap })
    const { endpoint } = await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
    isLosing = true
    const change = engine.endpoints.update('w1', endpoint.id, { description: 'x' }, { ifVersion: endpoint.version })
    await expect(change).rejects.toBe(unknown)
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({ description: 'x' })
  })

  it('uses ETag and If-Match over HTTP', async () => {
    const { engine, keys } = await api()
    const ask = (method: string, path: string, match?: string, body?: object) =>
      engine.routes.request(path, {
        method,
        headers: {
          authorization: `Bearer ${keys.w1}`,
          'content-type': 'application/json',
          ...(match !== undefined && { 'if-match': match }),
        },
        ...(body && { body: JSON.stringify(body) }),
      })
    const made = await ask('POST', '/endpoints', undefined, { url: 'https://hooks.example.com/' })
    const { id } = (await made.json()) as { id: string }
    const path = `/endpoints/${id}`
    const first = made.headers.get('etag') ?? ''
    expect([first, (await ask('GET', path)).headers.get('etag')]).toEqual(['"1"', '"1"'])
    const changed = await ask('PATCH', path, first, { description: 'x' })
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"2"'])
    expect(await read(ask('PATCH', path, first, { description: 'y' }))).toEqual(problem(412, 'precondition_failed'))
    expect(await read(ask('DELETE', path, first))).toEqual(problem(412, 'precondition_failed'))
    for (const wrong of ['1', 'W/"1"', '"1", "2"', '"x"', '']) {
      expect(await read(ask('PATCH', path, wrong, { description: 'y' }))).toEqual(problem(400, 'invalid_request'))
    }
    expect((await ask('PATCH', path, '*', { description: 'z' })).status).toBe(200)
    expect((await ask('DELETE', path, '"3"')).status).toBe(204)
  })
})

const NO_IDS = ['', 'w\ud800', 'w\0', 'x'.repeat(256), 7, null, undefined]

describe('an invalid workspace id', () => {
  it.each(NO_IDS)('is refused by every function: %j', async (given) => {
    const { engine } = await rig()
    const workspaceId = given as string
    const { endpoints, apiKeys, deliveries } = engine
    const key = { key: 'k', workspaceId, method: 'POST', route: '/', body: '' }
    const calls: (() => Promise<unknown>)[] = [
      () => endpoints.create(workspaceId, { url: 'https://hooks.example.com/' }),
      () => endpoints.list(workspaceId, { limit: 1 }),
      () => endpoints.get(workspaceId, 'ep_1'),
      () => endpoints.update(workspaceId, 'ep_1', {}),
      () => endpoints.setStatus(workspaceId, 'ep_1', 'enabled'),
      () => endpoints.secrets(workspaceId, 'ep_1'),
      () => endpoints.rotateSecret(workspaceId, 'ep_1'),
      () => endpoints.delete(workspaceId, 'ep_1'),
      () => apiKeys.create({ workspaceId }),
      () => apiKeys.list(workspaceId),
      () => apiKeys.revoke(workspaceId, 'key_1'),
      () => apiKeys.rotate(workspaceId, 'key_1'),
      () => deliveries.list(workspaceId, { limit: 1 }),
      () => deliveries.get(workspaceId, 'x'),
      () => deliveries.replay(workspaceId, 'x'),
      () => engine.replays.create(workspaceId, { what: 'failed' }),
      () => deliveries.listEvents(workspaceId, { limit: 1 }),
      () => deliveries.listByEvent(workspaceId, 'evt_1'),
      () => engine.publishTest(workspaceId, 'ep_1'),
      () => engine.commit({ writes: [], events: [], idempotencyKey: key }),
      () => engine.findStoredResponse(key),
      async () => engine.publishStatements({ id: 'x', type: 'a.b', workspaceId, data: {} }),
    ]
    for (const call of calls) {
      await expect(call(), String(call)).rejects.toMatchObject({
        message: expect.stringContaining('workspaceId must be'),
      })
    }
  })
})

describe('an invalid principal', () => {
  it.each([
    { workspaceId: 'w1', scopes: 'endpoints:read' },
    { workspaceId: 1, scopes: ['endpoints:read'] },
    { workspaceId: 'w\ud800', scopes: ['endpoints:read'] },
    { workspaceId: 'w1', scopes: ['everything'] },
    {},
  ])('is refused with a reason: %j', async (principal) => {
    const { engine } = await rig({ authenticate: async () => principal as Principal })
    expect(await read(engine.routes.request('/endpoints'))).toEqual(problem(500, 'invalid_option'))
  })
})

describe('an Idempotency-Key', () => {
  it('is refused without a workspace, so that no tenant gets the answer of another', async () => {
    const { engine } = await rig()
    const app = new Hono().use(keepsend(engine))
    const events = (tenants: string[]) => tenants.map((workspaceId) => ({ type: 'a.b', workspaceId, data: {} }))
    let scope: string | undefined
    let tenants: string[] = []
    app.post('/settings', (c) =>
      commitWithEvents(c, {
        writes: [],
        events: events(tenants),
        response: { status: 200, body: { tenant: c.req.header('x-tenant') } },
        workspaceId: scope,
      }),
    )
    app.onError((error, c) => c.json({ code: 'code' in error ? error.code : 'none' }, 500))
    const ask = async (tenant: string) => {
      const headers = { 'x-tenant': tenant, 'idempotency-key': '1' }
      return (await app.request('/settings', { method: 'POST', headers, body: '{}' })).json()
    }
    expect(await ask('A')).toEqual({ code: 'invalid_option' })
    tenants = ['A', 'B']
    expect(await ask('A')).toEqual({ code: 'invalid_option' })
    tenants = []
    for (const tenant of ['A', 'B']) {
      scope = tenant
      expect(await ask(tenant)).toEqual({ tenant })
    }
    tenants = ['C', 'C']
    scope = undefined
    expect(await ask('C')).toEqual({ tenant: 'C' })
  })
})
