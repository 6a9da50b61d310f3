import { describe, expect, it } from 'vitest'
import { OPERATOR_SCOPES, type Principal, SCOPES } from '../src/index.ts'
import { rig } from './rig.ts'
import { GOOD_BODIES, type Route, api, documentOf, read, routesOf } from './routes.ts'

/** The ids for `{id}`: existing rows of workspace w1. */
async function existing(made: Awaited<ReturnType<typeof api>>): Promise<Record<string, string>> {
  const { id } = await made.addEndpoint()
  await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
  const [row] = await made.rows()
  const problems = `prb_${id}.http_4xx.400`
  const { id: apiKey } = await made.engine.apiKeys.create({ workspaceId: 'w1' })
  const { id: replays } = await made.engine.replays.create('w1', { what: 'ids', ids: [row?.id ?? ''] })
  const { id: erasures } = await made.engine.erase({ workspaceId: 'w1', what: 'range', until: 0 })
  const events = row?.id.slice(0, 40) ?? ''
  return {
    endpoints: id,
    'endpoints-by-uid': id,
    deliveries: row?.id ?? '',
    events,
    problems,
    replays,
    erasures,
    'api-keys': apiKey,
    workspaces: 'w1',
  }
}

const fill = (path: string, id: string) => path.replace(/\{u?id\}/, id)
const bodyOf = ({ method, path, takesBody }: Route) => (takesBody ? GOOD_BODIES[`${method} ${path}`] : undefined)
const protectedRoutes = async () => routesOf(await documentOf(await rig())).filter(({ path }) => path !== '/health')

const UNKNOWN_KEY = 'the API key is unknown, expired or deleted: check the key in Authorization: Bearer ks_…'

describe('every route of the document', () => {
  it('is a route of the app, and every route of the app is in the document', async () => {
    const made = await rig()
    const inApp = made.engine.routes.routes
      .filter(({ method, path }) => method !== 'ALL' && !['/openapi.json', '/asyncapi.json'].includes(path))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/, '{$1}')}`)
    const inDocument = routesOf(await documentOf(made)).map(({ method, path }) => `${method} ${path}`)
    expect([...new Set(inApp)].sort()).toEqual(inDocument.sort())
    expect(inDocument.length).toBeGreaterThan(15)
  })

  it('except health needs one scope, and has a body in these tests if it takes one', async () => {
    for (const route of await protectedRoutes()) {
      expect(route.scope, `${route.method} ${route.path}`).toBeDefined()
      expect(bodyOf(route) !== undefined, `${route.method} ${route.path}`).toBe(route.takesBody)
    }
  })

  it('is 401 without a key, with a wrong one, a revoked one and an expired one', async () => {
    const made = await api()
    const revoked = await made.engine.apiKeys.create({ workspaceId: 'w1' })
    await made.engine.apiKeys.revoke('w1', revoked.id)
    const expired = await made.engine.apiKeys.create({ workspaceId: 'w1', expiresInMs: -1 })
    const ids = await existing(made)
    for (const route of await protectedRoutes()) {
      const path = fill(route.path, ids[route.path.split('/')[1] ?? ''] ?? '')
      for (const key of [null, '', 'ks_wrong', `ks_${'A'.repeat(43)}`, revoked.key, expired.key, `${made.keys.w1}x`]) {
        const response = await made.call(route.method, path, bodyOf(route), key)
        expect([response.status, response.headers.get('www-authenticate')], `${route.method} ${path} ${key}`).toEqual([
          401,
          'Bearer',
        ])
        expect((await read(response)).body).toMatchObject({
          code: 'unauthenticated',
          detail: key ? UNKNOWN_KEY : 'no API key: send Authorization: Bearer ks_…',
        })
      }
    }
  })

  it('is 403 with every scope except its own, and passes with its own alone', async () => {
    const made = await api()
    const ids = await existing(made)
    for (const route of await protectedRoutes()) {
      const path = fill(route.path, ids[route.path.split('/')[1] ?? ''] ?? '')
      const others = [...SCOPES, ...OPERATOR_SCOPES].filter((scope) => scope !== route.scope)
      const without = await made.engine.apiKeys.create({ workspaceId: 'w1', scopes: others })
      const only = await made.engine.apiKeys.create({
        workspaceId: 'w2',
        scopes: [...SCOPES, ...OPERATOR_SCOPES].filter((scope) => scope === route.scope),
      })
      expect(
        await read(made.call(route.method, path, bodyOf(route), without.key)),
        `${route.method} ${path}`,
      ).toMatchObject({
        status: 403,
        body: { code: 'forbidden', detail: expect.stringContaining(String(route.scope)) },
      })
      expect((await made.call(route.method, path, bodyOf(route), only.key)).status, path).not.toBe(403)
    }
  })
})

describe('API keys', () => {
  it('are shown once; the table holds their hash', async () => {
    const { engine, select } = await rig()
    const { key, id } = await engine.apiKeys.create({ workspaceId: 'w1', name: 'ci', scopes: ['events:write'] })
    expect(key).toMatch(/^ks_[A-Za-z0-9_-]{49}$/)
    expect(JSON.stringify(await select('select * from keepsend_api_keys'))).not.toContain(key.slice(3))
    expect(await engine.apiKeys.list('w1')).toMatchObject([
      { id, name: 'ci', scopes: ['events:write'], expiresAt: null },
    ])
    expect(await engine.apiKeys.list('w2')).toEqual([])
  })

  it("cannot be revoked by another workspace, nor made with a scope that isn't one", async () => {
    const { engine } = await rig()
    const { id } = await engine.apiKeys.create({ workspaceId: 'w1' })
    await expect(engine.apiKeys.revoke('w2', id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(
      engine.apiKeys.create({ workspaceId: 'w1', scopes: ['admin' as 'events:read'] }),
    ).rejects.toMatchObject({ code: 'invalid_option' })
    expect(await engine.apiKeys.list('w1')).toHaveLength(1)
  })
})

describe('a host with its own authenticate', () => {
  const authenticate = async (request: Request): Promise<Principal | undefined> => {
    const user = request.headers.get('x-user')
    if (user === 'broken') throw new Error('session store is down: s3cret')
    return user === null ? undefined : { workspaceId: user, scopes: ['endpoints:read', 'endpoints:write'] }
  }
  const request = async (user?: string, path = '/endpoints') => {
    const { engine, addEndpoint, log } = await rig({ authenticate })
    await addEndpoint()
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1' })
    const headers = { authorization: `Bearer ${key}`, ...(user !== undefined && { 'x-user': user }) }
    return { ...(await read(engine.routes.request(path, { headers }))), log }
  }

  it('decides the workspace and the scopes of every request', async () => {
    expect((await request('w1')).body['data']).toHaveLength(1)
    expect((await request('w2')).body['data']).toEqual([])
    expect((await request('w1', '/events')).status).toBe(403)
    expect((await request()).status).toBe(401)
  })

  it('is not called for health and for the document', async () => {
    for (const path of ['/health', '/openapi.json']) expect((await request('broken', path)).status).toBe(200)
  })

  it('gets a 500 without the reason when it throws; the log has the reason', async () => {
    const { status, body, log } = await request('broken')
    expect([status, body['code']]).toEqual([500, 'internal'])
    expect(JSON.stringify(body)).not.toContain('s3cret')
    expect(log.entries).toMatchObject([{ level: 'error', fields: { error: 'session store is down: s3cret' } }])
  })
})
