import { describe, expect, it } from 'vitest'
import { OPERATOR_SCOPES, type Scope } from '../src/index.ts'
import { openDatabase } from './database.ts'
import { bearer, rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

/** The API, and a key of w1 with these scopes. */
async function as(scopes: readonly Scope[]) {
  const made = await api()
  const { key, id } = await made.engine.apiKeys.create({ workspaceId: 'w1', scopes })
  const call = (method: string, path: string, body?: unknown) => made.call(method, path, body, key)
  const principal = (of: unknown) => made.engine.apiKeys.authenticate(bearer(String(of)))
  return { ...made, call, id, principal }
}

const FULL = ['events:write', 'events:read', 'keys:read', 'keys:write'] as const

describe('an API key made over HTTP', () => {
  it('works, is shown once, and is listed by its name without the key', async () => {
    const { call, principal } = await as(FULL)
    const made = await read(
      call('POST', '/api-keys', { name: '😀'.repeat(200), scopes: ['events:write'], expiresInMs: 60_000 }),
    )
    const { key, ...shown } = made.body
    expect(made.status).toBe(201)
    expect(await principal(key)).toMatchObject({ workspaceId: 'w1', scopes: ['events:write'] })
    const lifetime = Date.parse(String(shown['expiresAt'])) - Date.parse(String(shown['createdAt']))
    expect(lifetime).toBe(60_000)
    const { body } = await read(call('GET', '/api-keys?limit=250'))
    expect(body['data']).toContainEqual({ ...shown, lastUsedAt: expect.any(String) })
    expect(JSON.stringify(body)).not.toContain(String(key))
  })

  it('has by default the scopes of the key that made it, but not keys:write', async () => {
    const { call, principal } = await as([...FULL, ...OPERATOR_SCOPES])
    const { body } = await read(call('POST', '/api-keys', {}))
    expect((await principal(body['key']))?.scopes).toEqual(['events:read', 'events:write', 'keys:read'])
    const without = await as(['keys:write'])
    expect(await read(without.call('POST', '/api-keys', {}))).toMatchObject(problem(400, 'invalid_request'))
  })

  it('has no scope that the key which made it lacks, and is then not made', async () => {
    const { call, count } = await as(FULL)
    const before = await count('keepsend_api_keys')
    for (const scopes of [['endpoints:read'], ['events:write', 'secrets:read'], ['workspaces:read']]) {
      expect(await read(call('POST', '/api-keys', { scopes }))).toMatchObject({
        status: 403,
        body: { code: 'forbidden', detail: expect.stringContaining(scopes.at(-1) ?? '') },
      })
    }
    expect(await count('keepsend_api_keys')).toBe(before)
  })

  it.each([
    { scopes: [] },
    { scopes: ['admin'] },
    { scopes: ['events:read', 1] },
    { name: 'x'.repeat(201) },
    { name: 'a\0' },
    { name: '\ud800' },
    { name: null },
    { expiresInMs: 999 },
    { expiresInMs: 315_360_000_001 },
    { expiresInMs: 1000.5 },
    { workspaceId: 'w2' },
    { id: 'key_1' },
  ])('is not made of %j', async (wrong) => {
    const { call, count } = await as(FULL)
    const before = await count('keepsend_api_keys')
    expect(await read(call('POST', '/api-keys', wrong))).toMatchObject(problem(400, 'invalid_request'))
    expect(await count('keepsend_api_keys')).toBe(before)
  })

  it('can be repeated under its Idempotency-Key: the repeat names the same key, and shows none', async () => {
    const { engine, keys, count } = await as(FULL)
    const post = async () =>
      read(
        engine.routes.request('/api-keys', {
          method: 'POST',
          headers: { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json', 'idempotency-key': 'k1' },
          body: '{"name":"ci"}',
        }),
      )
    const first = await post()
    expect(first.body).toMatchObject({ key: expect.stringMatching(/^ks_/) })
    const before = await count('keepsend_api_keys')
    expect(await post()).toEqual({ status: 201, body: { ...first.body, key: null } })
    expect(await count('keepsend_api_keys')).toBe(before)
  })
})

describe('rotating an API key over HTTP', () => {
  it('makes its successor; a key with more scopes than the caller is refused, and stays as it is', async () => {
    const { call, engine, keys, principal } = await as(FULL)
    const less = await engine.apiKeys.create({ workspaceId: 'w1', name: 'ci', scopes: ['events:write'] })
    const rotated = await read(call('POST', `/api-keys/${less.id}/rotate`, { overlapMs: 0 }))
    expect(rotated).toMatchObject({ status: 200, body: { name: 'ci', scopes: ['events:write'] } })
    expect(await principal(rotated.body['key'])).toMatchObject({ workspaceId: 'w1', scopes: ['events:write'] })
    expect(await principal(less.key)).toBeUndefined()
    const more = await engine.apiKeys.create({ workspaceId: 'w1', scopes: ['secrets:read', 'events:write'] })
    expect(await read(call('POST', `/api-keys/${more.id}/rotate`, { overlapMs: 0 }))).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('secrets:read') },
    })
    expect(await principal(more.key)).toBeDefined()
    expect(await principal(keys.w1)).toBeDefined()
    for (const overlapMs of [-1, 604_800_001, 0.5])
      expect(await read(call('POST', `/api-keys/${less.id}/rotate`, { overlapMs }))).toMatchObject(
        problem(400, 'invalid_request'),
      )
  })
})

describe('revoking an API key over HTTP', () => {
  it('ends any key of the workspace, its own too, at the next request', async () => {
    const { call, engine, id, principal } = await as(FULL)
    const other = await engine.apiKeys.create({ workspaceId: 'w1' })
    expect((await call('DELETE', `/api-keys/${other.id}`)).status).toBe(204)
    expect(await principal(other.key)).toBeUndefined()
    expect(await read(call('DELETE', `/api-keys/${other.id}`))).toMatchObject(problem(404, 'not_found'))
    expect((await call('DELETE', `/api-keys/${id}`)).status).toBe(204)
    expect(await read(call('GET', '/api-keys'))).toMatchObject(problem(401, 'unauthenticated'))
  })

  it('succeeds once when two engines race', async () => {
    const on = await openDatabase()
    const [one, other] = [await rig({ on }), await rig({ on })]
    for (let round = 0; round < 5; round++) {
      const { id } = await one.engine.apiKeys.create({ workspaceId: 'w1' })
      const both = await Promise.allSettled([one, other].map(({ engine }) => engine.apiKeys.revoke('w1', id)))
      expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    }
    expect(await one.count('keepsend_api_keys')).toBe(0)
  })
})

it('a host’s principal can give no scope that it lacks either', async () => {
  const { engine } = await rig({
    authenticate: async () => ({ workspaceId: 'w9', scopes: ['keys:write', 'events:read'] }),
  })
  const post = (body: object) =>
    engine.routes.request('/api-keys', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  expect((await post({ scopes: ['events:write'] })).status).toBe(403)
  const { body } = await read(post({ scopes: ['events:read'] }))
  expect(await engine.apiKeys.authenticate(bearer(String(body['key'])))).toMatchObject({
    workspaceId: 'w9',
    scopes: ['events:read'],
  })
})
