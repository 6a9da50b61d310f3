import { describe, expect, it } from 'vitest'
import { ENDPOINT, ends } from '../../test/limits.ts'
import { type Rig, rig } from '../../test/rig.ts'
import { api, problem, read } from '../../test/routes.ts'

describe('endpoints of a workspace', () => {
  it('are at most 100 by default, and one more is refused before anything of it is written', async () => {
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

  it('do not exceed the limit when two are created concurrently: one of the two gets 409', async () => {
    const { engine, count } = await rig({ limits: { endpointsPerWorkspace: 3 } })
    for (let round = 0; round < 10; round++) {
      const workspaceId = `w${round}`
      for (let made = 0; made < 2; made++) await engine.endpoints.create(workspaceId, ENDPOINT)
      const two = [1, 2].map(() => engine.endpoints.create(workspaceId, ENDPOINT))
      expect(await ends(two)).toEqual(['ok', 'too_many_endpoints'])
    }
    expect(await count('keepsend_endpoints')).toBe(30)
  })

  it('can be created again after one was deleted, and a lower limit deletes none', async () => {
    const { engine, ...on } = await rig({ limits: { endpointsPerWorkspace: 2 } })
    const { endpoint } = await engine.endpoints.create('w1', ENDPOINT)
    await engine.endpoints.create('w1', ENDPOINT)
    await engine.endpoints.delete('w1', endpoint.id)
    const { endpoint: again } = await engine.endpoints.create('w1', ENDPOINT)
    const lower = await rig({ on, limits: { endpointsPerWorkspace: 1 } })
    await lower.engine.endpoints.update('w1', again.id, { description: 'x' })
    await expect(lower.engine.endpoints.create('w1', ENDPOINT)).rejects.toMatchObject({ code: 'too_many_endpoints' })
  })

  it('are refused over HTTP with a problem document, with and without an Idempotency-Key', async () => {
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

describe('API keys of a workspace', () => {
  it('are at most 100 by default, those that expired aside', async () => {
    const { engine, count } = await rig()
    for (let n = 0; n < 2; n++) await engine.apiKeys.create({ workspaceId: 'w1', expiresInMs: -1 })
    for (let n = 0; n < 100; n++) await engine.apiKeys.create({ workspaceId: 'w1' })
    await expect(engine.apiKeys.create({ workspaceId: 'w1' })).rejects.toMatchObject({
      code: 'too_many_api_keys',
      status: 409,
      message:
        'a workspace has at most 100 API keys that have not expired (limits.apiKeysPerWorkspace), and twice as many while it rotates them: revoke one',
    })
    expect([await count('keepsend_api_keys'), await count('keepsend_audit')]).toEqual([102, 102])
    await engine.apiKeys.create({ workspaceId: 'w2' })
  })

  it('do not exceed the limit when two are created concurrently: one of the two gets 409', async () => {
    const { engine, count } = await rig({ limits: { apiKeysPerWorkspace: 2 } })
    for (let round = 0; round < 10; round++) {
      const workspaceId = `w${round}`
      await engine.apiKeys.create({ workspaceId })
      const two = [1, 2].map(() => engine.apiKeys.create({ workspaceId }))
      expect(await ends(two)).toEqual(['ok', 'too_many_api_keys'])
    }
    expect(await count('keepsend_api_keys')).toBe(20)
  })

  it('can be rotated at the limit, up to twice as many, and made again after one was revoked', async () => {
    const { engine } = await rig({ limits: { apiKeysPerWorkspace: 2 } })
    const first = await engine.apiKeys.create({ workspaceId: 'w1' })
    await engine.apiKeys.create({ workspaceId: 'w1' })
    const { id } = await engine.apiKeys.rotate('w1', first.id)
    await engine.apiKeys.rotate('w1', id)
    const tooMany = { code: 'too_many_api_keys' }
    await expect(engine.apiKeys.rotate('w1', id)).rejects.toMatchObject(tooMany)
    for (const key of (await engine.apiKeys.list('w1')).slice(0, 2)) await engine.apiKeys.revoke('w1', key.id)
    await expect(engine.apiKeys.create({ workspaceId: 'w1' })).rejects.toMatchObject(tooMany)
    await engine.apiKeys.revoke('w1', id)
    await engine.apiKeys.create({ workspaceId: 'w1' })
  })

  it('are refused over HTTP with a problem document, with and without an Idempotency-Key', async () => {
    const { call, engine, keys } = await api({ limits: { apiKeysPerWorkspace: 1 } })
    expect(await read(call('POST', '/api-keys', {}))).toEqual(problem(409, 'too_many_api_keys'))
    const headers = { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json', 'idempotency-key': 'k1' }
    const again = engine.routes.request('/api-keys', { method: 'POST', headers, body: '{}' })
    expect(await read(again)).toEqual(problem(409, 'too_many_api_keys'))
  })
})

describe('subscriptions of an endpoint', () => {
  const types = (count: number) => Array.from({ length: count }, (_, n) => `type.n${n}`)

  it('are event types × channels, at most 100 by default', async () => {
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

  it('do not exceed the limit when two concurrent changes add types and channels', async () => {
    const { engine, count } = await rig({ limits: { subscriptionsPerEndpoint: 6 } })
    for (let round = 0; round < 10; round++) {
      const { endpoint } = await engine.endpoints.create('w1', { ...ENDPOINT, eventTypes: ['a'], channels: ['a'] })
      const change = (part: object) => engine.endpoints.update('w1', endpoint.id, part)
      const both = [change({ eventTypes: types(3) }), change({ channels: ['a', 'b', 'c'] })]
      expect(await ends(both)).toEqual(['invalid_endpoint', 'ok'])
    }
    expect(await count('keepsend_subscriptions')).toBe(30)
  })

  it('are written only if they changed', async () => {
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

/** Records the changes of a table's rows from here on, with triggers. */
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

it.each([
  ['endpointsPerWorkspace', 100_000],
  ['apiKeysPerWorkspace', 100_000],
  ['portalLinksPerWorkspace', 100_000],
  ['subscriptionsPerEndpoint', 500],
  ['deliveriesPerPublish', 1_000_000],
  ['waitingPerWorkspace', 10_000_000],
  ['requestsPerSecond', 100_000],
  ['idempotencyRecordsPerWorkspace', 1_000_000_000],
])('limits.%s outside its bounds is refused; the error names option, bound and value', async (name, most) => {
  for (const value of [0, most + 1, 1.5, Number.NaN]) {
    await expect(rig({ limits: { [name]: value } })).rejects.toMatchObject({
      code: 'invalid_option',
      message: `limits.${name} must be a whole number from 1 to ${most}; found ${value}`,
    })
  }
})
