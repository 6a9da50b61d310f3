import { newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import type { Document, Schema } from '../../test/document.ts'
import { GOOD_BODIES, type Route, api, documentOf, operationOf, read, routesOf } from '../../test/routes.ts'

/** Every kind of id of a workspace, and an id of each kind that does not exist. */
type Ids = Record<
  | 'endpoint'
  | 'uid'
  | 'event'
  | 'delivery'
  | 'disabled endpoint'
  | 'settled delivery'
  | 'problem'
  | 'replay'
  | 'erasure'
  | 'API key'
  | 'portal link',
  string
>

const NOBODYS: Ids = {
  endpoint: 'ep_01890000-0000-7000-8000-000000000000',
  'disabled endpoint': 'ep_01890000-0000-7000-8000-000000000000',
  uid: 'crm-0000',
  event: 'evt_01890000-0000-7000-8000-000000000000',
  delivery: 'evt_01890000-0000-7000-8000-000000000000.ep_01890000-0000-7000-8000-000000000000',
  'settled delivery': 'evt_01890000-0000-7000-8000-000000000000.ep_01890000-0000-7000-8000-000000000000',
  problem: 'prb_ep_01890000-0000-7000-8000-000000000000.http_4xx.400',
  replay: 'rep_01890000-0000-7000-8000-000000000000',
  erasure: 'era_01890000-0000-7000-8000-000000000000',
  'API key': 'key_01890000-0000-7000-8000-000000000000',
  'portal link': 'plk_01890000-0000-7000-8000-000000000000',
}
const KINDS = Object.keys(NOBODYS) as (keyof Ids)[]

/** Workspace w1 has one of everything; w2 has an endpoint, and sends the requests. */
async function twoTenants() {
  const made = await api({ history: { search: ['data.of'] } })
  const { engine, exec } = made
  const endpoint = (await made.addEndpoint({ uid: 'crm-4711' })).id
  const off = (await made.addEndpoint({ url: 'https://other.example.com/' })).id
  const { eventId: event } = await engine.publish({ type: 'a', workspaceId: 'w1', data: { of: 'w1' } })
  await engine.endpoints.setStatus('w1', off, 'disabled')
  await exec(
    `update pending_events set status = 'failed', completed_at = 1, due_at = null, ready = 0, last_error = 'of w1' where endpoint_id = ?`,
    off,
  )
  await exec(
    `insert into keepsend_secrets (endpoint_id, scheme, version, secret, created_at) values (?, 'v1', 2, 'whsec_${'B'.repeat(44)}', 1)`,
    endpoint,
  )
  await exec(
    `insert into keepsend_problems (endpoint_id, error_class, http_status, workspace_id, state_since, first_seen_at,
       last_seen_at, attempts, deliveries, last_error, last_delivery_id)
     select ?, 'http_4xx', 400, 'w1', ms, ms, ms, 1, 1, 'HTTP 400: of w1', 'evt_1' from keepsend_clock`,
    endpoint,
  )
  await made.addEndpoint({ workspaceId: 'w2', url: 'https://w2.example.com/' })
  const ids: Ids = {
    endpoint,
    uid: 'crm-4711',
    'disabled endpoint': off,
    event,
    delivery: `${event}.${endpoint}`,
    'settled delivery': `${event}.${off}`,
    problem: `prb_${endpoint}.http_4xx.400`,
    replay: (await engine.replays.create('w1', { what: 'ids', ids: [`${event}.${off}`] })).id,
    erasure: (await engine.erase({ workspaceId: 'w1', what: 'range', until: 0 })).id,
    'API key': (await engine.apiKeys.create({ workspaceId: 'w1' })).id,
    'portal link': (await engine.portalLinks.create('w1')).link.id,
  }
  const asW2 = (method: string, path: string, body?: unknown) => made.call(method, path, body, made.keys.w2)
  return { ...made, ids, asW2, document: await documentOf(made) }
}

const TABLES = [
  'pending_events',
  'keepsend_endpoints',
  'keepsend_subscriptions',
  'keepsend_secrets',
  'keepsend_api_keys',
  'keepsend_portal_links',
  'keepsend_idempotency_records',
  'keepsend_idempotency_marks',
  'keepsend_attempts',
  'keepsend_events',
  'keepsend_event_search',
  'keepsend_problems',
  'keepsend_replays',
  'keepsend_erasures',
  'keepsend_workspaces',
  'keepsend_statistics',
  'keepsend_statistics_passes',
  'keepsend_audit',
]

/** Every row of every table, without the time at which a key was last used. */
async function everything({ select }: Pick<Awaited<ReturnType<typeof twoTenants>>, 'select'>): Promise<string> {
  const tables = await Promise.all(TABLES.map((table) => select(`select * from ${table} order by 1, 2, 3`)))
  return JSON.stringify(tables, (column, value: unknown) => (/last_used/.test(column) ? undefined : value))
}

/** The bytes, status and headers of an answer. */
async function whole(response: Response): Promise<{ status: number; headers: unknown[]; body: string }> {
  return { status: response.status, headers: [...response.headers], body: await response.text() }
}

/** Where a route accepts an id: in its path, its query, or its body. */
function idsTakenBy(document: Document): string[] {
  const namesIn = ({ $ref, properties = {}, oneOf = [], items }: Schema): string[] => {
    if ($ref !== undefined) return namesIn(document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {})
    return [
      ...Object.keys(properties),
      ...Object.values(properties).flatMap(namesIn),
      ...oneOf.flatMap(namesIn),
      ...(items ? namesIn(items) : []),
    ]
  }
  return routesOf(document).flatMap(({ method, path }) => {
    const { parameters = [], requestBody } = operationOf(document, method, path)
    const inBody = Object.values(requestBody?.content ?? {}).flatMap(({ schema }) => namesIn(schema))
    return [...parameters.map(({ in: place, name }) => [place, name]), ...inBody.map((name) => ['body', name])]
      .filter(([, name = '']) => /(^|[a-z])ids?$|cursor|workspace|key$/i.test(name))
      .map(([place, name]) => `${method} ${path}: ${place} ${name}`)
  })
}

const withIdInPath = (document: Document) => routesOf(document).filter(({ path }) => path.includes('{'))
const isExport = (path: string) => path === '/workspaces/{id}/export'
const at = ({ path }: Route, id: string) => path.replaceAll(/\{\w+\}/g, encodeURIComponent(id))

describe("another workspace's id", () => {
  it('gets the same bytes as an id that does not exist, on every route and for every kind of id, and changes nothing (trap 35)', async () => {
    const made = await twoTenants()
    const before = await everything(made)
    // Everybody's uids are free in a workspace: see below. The export is for operators: see test/export.test.ts.
    const routes = withIdInPath(made.document).filter(({ method, path }) => method !== 'PUT' && !isExport(path))
    for (const route of routes) {
      const name = `${route.method} ${route.path}`
      const good = route.takesBody ? GOOD_BODIES[name] : undefined
      const of = async (kind: keyof Ids): Promise<void> => {
        const ask = async (id: string, body: unknown) => whole(await made.asW2(route.method, at(route, id), body))
        const foreign = await ask(made.ids[kind], good)
        expect(foreign, `${name} of the ${kind}`).toMatchObject({ status: 404 })
        expect(foreign, `${name} of the ${kind}`).toEqual(await ask(NOBODYS[kind], good))
        for (const bad of route.takesBody ? [{ surprise: 1 }, '{', ''] : []) {
          expect(await ask(made.ids[kind], bad), name).toEqual(await ask(NOBODYS[kind], bad))
        }
      }
      await Promise.all(KINDS.map(of))
    }
    expect(routes.length).toBeGreaterThan(8)
    expect(await everything(made)).toBe(before)
    expect(made.messages.filter(({ workspaceId }) => workspaceId !== 'w1')).toEqual([])
  })

  it('works for its owner on each of these routes, so the test above uses ids that exist', async () => {
    const made = await twoTenants()
    const routes = withIdInPath(made.document).filter(({ path }) => !isExport(path))
    // First those that need an endpoint that is enabled, last those that delete.
    const rank = ({ method, path }: Route): number =>
      ['/deliveries/{id}/retry-now', '/deliveries/{id}/give-up', path].indexOf(path) + (method === 'DELETE' ? 1 : 0)
    for (const route of routes.toSorted((one, other) => rank(one) - rank(other))) {
      const { method, path } = route
      const kinds: Record<string, keyof Ids> = {
        events: 'event',
        deliveries: 'settled delivery',
        problems: 'problem',
        'api-keys': 'API key',
        replays: 'replay',
        erasures: 'erasure',
      }
      const isOfUnsettled = /retry-now|give-up/.test(path)
      const ofResource = isOfUnsettled ? 'delivery' : (kinds[path.split('/')[1] ?? ''] ?? 'endpoint')
      const kind = path.endsWith('{uid}') ? 'uid' : ofResource
      const body = GOOD_BODIES[`${method} ${path}`]
      const id = path.endsWith('/events/{id}/cancel')
        ? (await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })).eventId
        : made.ids[kind]
      const response = await made.call(method, at(route, id), body)
      expect(response.status, `${method} ${path}`).toBeLessThan(300)
    }
  })

  it('is accepted only in the places that these tests cover', async () => {
    const { document } = await twoTenants()
    const inPaths = withIdInPath(document).map(
      ({ method, path }) => `${method} ${path}: path ${path.endsWith('{uid}') ? 'uid' : 'id'}`,
    )
    // `key`: see test/idempotent-routes.test.ts. The others are the private key of `tls` and the client of `auth`.
    const ids = idsTakenBy(document).filter((place) => !/: (header Idempotency-Key|body (key|clientId))$/.test(place))
    const elsewhere = ids.filter((place) => !inPaths.includes(place))
    expect([...new Set(elsewhere)].sort()).toEqual([
      'GET /api-keys: query cursor',
      'GET /attempts: query cursor',
      'GET /attempts: query endpointId',
      'GET /attempts: query workspaceId',
      'GET /audit: query cursor',
      'GET /audit: query endpointId',
      'GET /audit: query workspaceId',
      'GET /deliveries/{id}/attempts: query cursor',
      'GET /deliveries/{id}/attempts: query workspaceId',
      'GET /deliveries/{id}: query workspaceId',
      'GET /deliveries: query cursor',
      'GET /deliveries: query endpointId',
      'GET /deliveries: query eventId',
      'GET /deliveries: query workspaceId',
      'GET /endpoints: query cursor',
      'GET /erasures/{id}: query workspaceId',
      'GET /erasures: query cursor',
      'GET /erasures: query workspaceId',
      // The position in the catalog of the engine, which has no workspaces.
      'GET /event-types: query cursor',
      'GET /events/{id}: query workspaceId',
      'GET /events: query cursor',
      'GET /events: query traceId',
      'GET /events: query workspaceId',
      'GET /problems: query cursor',
      'GET /problems: query endpointId',
      'GET /problems: query workspaceId',
      'GET /replays/{id}: query workspaceId',
      'GET /replays: query cursor',
      'GET /replays: query workspaceId',
      'GET /statistics/endpoints: query endpointIds',
      'GET /statistics/endpoints: query workspaceId',
      'GET /statistics: query endpointId',
      'GET /statistics: query workspaceId',
      'GET /workspaces: query cursor',
      'PATCH /endpoints/{id}: body uid',
      // That of the event that is compared, which nobody looks up.
      'POST /endpoints/{id}/match: body id',
      'POST /endpoints: body uid',
      // An erasure covers the rows of its own workspace: see test/erasures.test.ts.
      'POST /erasures: body endpointId',
      'POST /erasures: body eventId',
      'POST /events: body id',
      'POST /replays: body endpointId',
      'POST /replays: body eventId',
      'POST /replays: body ids',
    ])
  })

  it('as a filter finds as little as an id that does not exist', async () => {
    const made = await twoTenants()
    for (const kind of KINDS) {
      for (const filter of ['endpointId', 'eventId', 'type']) {
        const answer = await made.asW2('GET', `/deliveries?${filter}=${encodeURIComponent(made.ids[kind])}`)
        expect(await read(answer), `${filter} of the ${kind}`).toEqual({ status: 200, body: { data: [] } })
      }
      for (const list of ['attempts', 'problems', 'audit']) {
        const found = await made.asW2('GET', `/${list}?endpointId=${encodeURIComponent(made.ids[kind])}`)
        expect(await read(found), `${list} of the ${kind}`).toEqual({ status: 200, body: { data: [] } })
      }
      for (const query of ['?by=day&endpointId=', '/endpoints?endpointIds=']) {
        const count = async (id: string): Promise<string> => {
          const since = new Date(Date.now() - 3_600_000).toISOString()
          const answer = await made.asW2('GET', `/statistics${query}${encodeURIComponent(id)}&since=${since}`)
          expect(answer.status).toBe(200)
          return (await answer.text()).replaceAll(id, 'id')
        }
        expect(await count(made.ids[kind]), `statistics of the ${kind}`).toBe(await count(NOBODYS[kind]))
      }
    }
    expect((await read(made.call('GET', `/deliveries?eventId=${made.ids.event}`))).body['data']).toHaveLength(2)
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {}, traceparent })
    const traced = `/events?traceId=${traceId}`
    expect(await read(made.asW2('GET', traced))).toEqual({ status: 200, body: { data: [] } })
    expect((await read(made.call('GET', traced))).body['data']).toHaveLength(1)
  })

  it('as the workspaceId of a read is 403 without workspaces:read, whether it exists or not, on every route that takes one', async () => {
    const made = await twoTenants()
    const { eventId } = await made.engine.publish({ type: 'a', workspaceId: 'w2', data: {} })
    const [delivery] = (await made.engine.deliveries.list('w2', { limit: 1 })).rows
    const { id: replay } = await made.engine.replays.create('w2', { what: 'ids', ids: [made.ids.delivery] })
    const routes = routesOf(made.document).filter(({ method, path }) =>
      operationOf(made.document, method, path).parameters?.some(({ name }) => name === 'workspaceId'),
    )
    const { id: erasures } = await made.engine.erase({ workspaceId: 'w2', what: 'range', until: 0 })
    const own: Record<string, string> = { events: eventId, deliveries: delivery?.id ?? '', replays: replay, erasures }
    const required: Record<string, string> = {
      '/statistics': 'by=day&since=2026-01-01T00:00:00Z',
      '/statistics/endpoints': `since=${new Date().toISOString()}&endpointIds=${made.ids.endpoint}`,
    }
    const answers = new Set<string>()
    for (const { method, path } of routes) {
      const url = `${path.replace(/\{u?id\}/, own[path.split('/')[1] ?? ''] ?? '')}?${required[path] ?? ''}`
      const ask = async (query: string) => {
        const { status, body } = await read(made.asW2(method, `${url}${query}`))
        return { status, text: JSON.stringify(body) }
      }
      for (const other of ['w1', 'nobody', '*', '%2A', 'W2', 'w2%20', 'w1&workspaceId=w2']) {
        const answer = await ask(`&workspaceId=${other}`)
        expect(answer, `${path} of ${other}`).toMatchObject({ status: other.includes('&') ? 400 : 403 })
        if (answer.status === 403) answers.add(answer.text)
      }
      const plain = await ask('')
      expect(plain, path).toMatchObject({ status: 200 })
      expect(plain.text, path).not.toContain('"workspaceId"')
      expect(await ask('&workspaceId=w2'), path).toEqual(plain)
    }
    expect(routes).toHaveLength(14)
    expect([...answers]).toEqual([expect.stringContaining('lacks the scope workspaces:read')])
  })

  it('may be the id of an own event too: each workspace sees its own event', async () => {
    const made = await twoTenants()
    const asW1 = async (path: string) => read(made.call('GET', path))
    const paths = ['/events', `/events/${made.ids.event}`, '/deliveries', `/deliveries?eventId=${made.ids.event}`]
    const before = await Promise.all(paths.map(asW1))
    const event = { type: 'w2s.own', data: { of: 'w2' } }
    const withId = (id: string) => made.asW2('POST', '/events', { id, ...event })
    const [foreign, fresh] = [await withId(made.ids.event), await withId(NOBODYS.event)]
    expect((await foreign.text()).replace(made.ids.event, NOBODYS.event)).toBe(await fresh.text())
    expect([foreign.status, [...foreign.headers]]).toEqual([fresh.status, [...fresh.headers]])
    expect(await Promise.all(paths.map(asW1))).toEqual(before)
    const { body } = await read(made.asW2('GET', `/events/${made.ids.event}`))
    expect([body['type'], body['deliveries']]).toEqual(['w2s.own', [expect.anything()]])
    const { body: list } = await read(made.asW2('GET', '/events'))
    // The other one is older than the retention, by its id.
    expect(list['data']).toMatchObject([{ id: made.ids.event, type: 'w2s.own', deliveries: { pending: 1, failed: 0 } }])
  })

  it('as the uid of an endpoint is as free as one that does not exist', async () => {
    const made = await twoTenants()
    const before = await read(made.call('GET', '/endpoints'))
    const url = 'https://w2.example.com/own'
    const shown = async (answer: Promise<Response>, uid: string) => {
      const { status, headers, body } = await whole(await answer)
      const own = /ep_[\w-]+|whsec_[\w+/=]+|"\w+At":"[^"]+"/g
      return { status, headers: JSON.stringify(headers).replace(own, ''), body: body.replace(own, '').replace(uid, '') }
    }
    for (const uid of [made.ids.uid, made.ids.endpoint]) {
      const ask = (one: string) => made.asW2('PUT', `/endpoints-by-uid/${one}`, { url })
      const foreign = await shown(ask(uid), uid)
      expect(foreign).toMatchObject({ status: 201 })
      expect(foreign).toEqual(await shown(ask(`${uid}0`), `${uid}0`))
      expect(await shown(made.asW2('POST', '/endpoints', { url, uid: `${uid}1` }), `${uid}1`)).toMatchObject({
        status: 201,
      })
    }
    expect(await read(made.call('GET', '/endpoints'))).toEqual(before)
    const paths = [made.ids.uid, made.ids.endpoint].map((uid) => `/endpoints-by-uid/${uid}`)
    const found = await Promise.all(paths.map(async (path) => (await read(made.asW2('GET', path))).body))
    expect(found).toMatchObject([{ url }, { url }])
    expect((await read(made.call('GET', paths[0] ?? ''))).body).toMatchObject({ id: made.ids.endpoint })
  })

  it('is refused like one that does not exist by every method that has a workspace and an id', async () => {
    const { engine, ids, ...made } = await twoTenants()
    const before = await everything(made)
    const { endpoints, deliveries, events, problems, replays, erasures, apiKeys, portalLinks } = engine
    const stores = { endpoints, deliveries, events, problems, replays, erasures, apiKeys, portalLinks }
    // Methods without an id of an existing thing: they create or derive something, list, or take a token.
    const idless = /\.(create|upsert|list|listEvents|authenticate|deriveSecret|find|open|session|getMany)$/
    const args: Record<string, unknown[]> = {
      update: [{ description: 'x' }],
      setStatus: ['enabled'],
      endSecret: [{ version: 1 }],
    }
    const calls = Object.entries(stores).flatMap(([store, methods]) =>
      Object.entries<(...values: never[]) => Promise<unknown>>({ ...methods })
        .filter(([name]) => !idless.test(`.${name}`))
        .map(([name, method]) => ({
          name: `${store}.${name}`,
          call: (id: string) => method.apply(methods, ['w2', id, ...(args[name] ?? [])] as never[]),
        })),
    )
    calls.push({ name: 'sendTest', call: (id) => engine.sendTest('w2', id) })
    calls.push({ name: 'publishTest', call: (id) => engine.publishTest('w2', id) })
    for (const { name, call } of calls) {
      for (const kind of KINDS) {
        const said = (id: string) => call(id).then(String, ({ code, message }) => ({ code, message }))
        const foreign = await said(ids[kind])
        expect(foreign, `${name} of the ${kind}`).toEqual(await said(NOBODYS[kind]))
        expect(foreign, `${name} of the ${kind}`).toMatchObject({ code: expect.stringMatching(/^not_/) })
      }
    }
    expect(await endpoints.getMany('w2', [ids.endpoint])).toEqual(await endpoints.getMany('w2', [NOBODYS.endpoint]))
    expect(calls.length).toBeGreaterThan(9)
    expect(await everything(made)).toBe(before)
  })
})

describe("another workspace's cursor", () => {
  it('only says where to continue: every list shows the caller’s own rows, from every position', async () => {
    const made = await twoTenants()
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await made.engine.publish({ type: 'a', workspaceId: 'w2', data: {} })
    for (const list of ['/events', '/endpoints', '/deliveries', '/api-keys']) {
      const idsOf = async (response: Promise<Response>) =>
        ((await read(response)).body['data'] as { id: string }[]).map(({ id }) => id)
      const own = await idsOf(made.asW2('GET', list))
      expect(own, list).toHaveLength(1)
      const { body } = await read(made.call('GET', `${list}?limit=1`))
      const prefixes: Record<string, string> = { '/endpoints': 'ep_', '/api-keys': 'key_' }
      const prefix = prefixes[list] ?? 'evt_'
      const forged = [...Object.values(made.ids).filter((id) => id.startsWith(prefix)), `${prefix}0`, `${prefix}z`]
      const cursors = [String(body['cursor']), ...forged.map(btoa)]
      expect(body['cursor'], list).toBeDefined()
      for (const cursor of cursors) {
        const shown = await idsOf(made.asW2('GET', `${list}?cursor=${encodeURIComponent(cursor)}`))
        expect(own, `${list}?cursor=${cursor}`).toEqual(expect.arrayContaining(shown))
      }
    }
  })

  it('of an operator’s page across all workspaces shows a tenant its own rows too, and nothing else', async () => {
    const made = await twoTenants()
    await made.exec(
      `insert into keepsend_problems (endpoint_id, error_class, http_status, workspace_id, state_since, first_seen_at,
         last_seen_at, attempts, deliveries, last_error, last_delivery_id)
       select 'ep_w2', 'http_4xx', 400, 'w2', ms, ms, ms, 1, 1, 'HTTP 400: of w2', 'evt_2' from keepsend_clock`,
    )
    const id = newEventId()
    for (const workspaceId of ['w1', 'w2', 'w3']) await made.engine.publish({ id, type: 'a', workspaceId, data: {} })
    await made.work()
    const scopes = ['events:read', 'deliveries:read', 'workspaces:read'] as const
    const { key } = await made.engine.apiKeys.create({ workspaceId: 'ops', scopes })
    for (const workspaceId of ['w1', 'w2', 'w3'])
      await made.engine.replays.create(workspaceId, { what: 'failed', until: 0 })
    for (const list of ['/events', '/deliveries', '/attempts', '/problems', '/replays']) {
      const page = async (query: string, as: string) =>
        (await read(made.call('GET', `${list}?limit=1${query}`, undefined, as))).body
      const rowsOf = (body: Record<string, unknown>) => body['data'] as { id: string }[]
      const own = rowsOf((await read(made.asW2('GET', list))).body)
      expect(own, list).toHaveLength(1)
      let count = 0
      for (let cursor = ''; ; count++) {
        const { data, cursor: next } = await page(`&workspaceId=*${cursor}`, key)
        expect(data, list).toHaveLength(1)
        if (next === undefined) break
        cursor = `&cursor=${encodeURIComponent(next as string)}`
        for (const row of rowsOf(await page(cursor, made.keys.w2))) expect(own, `${list} ${cursor}`).toContainEqual(row)
        expect((await page(`&workspaceId=*${cursor}`, made.keys.w2))['status']).toBe(403)
      }
      expect(count, list).toBeGreaterThan(0)
    }
  })

  it('is refused with 400 if it is no cursor of that list', async () => {
    const { asW2, ids } = await twoTenants()
    for (const [list, id] of [
      ['/events', ids.endpoint],
      ['/deliveries', ids['API key']],
      ['/endpoints', ids.delivery],
      ['/endpoints', 'w1'],
      ['/api-keys', ids.endpoint],
    ] as const) {
      expect(await read(asW2('GET', `${list}?cursor=${encodeURIComponent(btoa(id))}`)), list).toMatchObject({
        status: 400,
        body: { code: 'invalid_request' },
      })
    }
  })
})

it("another workspace's Idempotency-Key is a key like any other: no workspace gets another's answer", async () => {
  const { engine, keys } = await twoTenants()
  const post = (key: string) =>
    engine.routes.request('/events', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': 'shared' },
      body: JSON.stringify({ id: newEventId(), type: 'a', data: {} }),
    })
  const [first, second] = [await post(keys.w1), await post(keys.w2)]
  expect([first.status, second.status]).toEqual([202, 202])
  expect([first, second].map(({ headers }) => headers.has('idempotency-replayed'))).toEqual([false, false])
  expect(await first.text()).not.toBe(await second.text())
})
