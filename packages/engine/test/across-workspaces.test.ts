// The lists of operators: rows of every workspace, each once, in one order; and nobody else's. On each database.
import { newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type Engine, type Page, OPERATOR_SCOPES, SCOPES, type WorkspaceScope, allWorkspaces } from '../src/index.ts'
import { recordedRig } from './plans.ts'
import { type Rig, rig } from './rig.ts'
import { problem, read } from './routes.ts'
import { NOON, NOTHING, counted, countsOf } from './statistics-rig.ts'

const WORKSPACES = ['w1', 'w2', 'w3']
const ANSWERS: Record<string, number> = { w1: 200, w2: 500, w3: 400 }
const HOUR = 3_600_000

interface Tenants extends Rig {
  endpoints: Record<string, string>
}

/** Three workspaces with an endpoint each: the first delivers, the second retries, the third fails. Four events each, in turn. */
async function threeTenants(options: Parameters<typeof rig>[0] = {}): Promise<Tenants> {
  const answer = ({ url }: { url: string }) => ANSWERS[new URL(url).hostname.split('.')[0] ?? ''] ?? 500
  const made = await rig({ history: true, retrySchedule: [60, 60], answer, ...options })
  const endpoints: Record<string, string> = {}
  for (const workspaceId of WORKSPACES)
    endpoints[workspaceId] = (await made.addEndpoint({ workspaceId, url: `https://${workspaceId}.example.com/` })).id
  for (let n = 0; n < 4; n++) {
    for (const workspaceId of WORKSPACES)
      await made.engine.publish({ type: n % 2 === 0 ? 'a.even' : 'a.odd', workspaceId, data: { of: workspaceId } })
    await made.work()
  }
  return { ...made, endpoints }
}

it('the list of endpoints has those of all workspaces, each once, by their ids, and of one workspace its own', async () => {
  const { engine, endpoints } = await threeTenants()
  const all = Object.values(endpoints).toSorted()
  const first = await engine.endpoints.list(allWorkspaces, { limit: 2 })
  const rest = await engine.endpoints.list(allWorkspaces, { limit: 2, after: first.at(-1)?.id })
  expect([...first, ...rest].map(({ id }) => id)).toEqual(all)
  expect((await engine.endpoints.list('w2', { limit: 10 })).map(({ id }) => id)).toEqual([endpoints['w2']])
})

it('several endpoints are read by their ids in one statement, of one workspace or of all, and those that do not exist are left out', async () => {
  const made = await recordedRig()
  const ids: string[] = []
  for (const workspaceId of WORKSPACES) ids.push((await made.addEndpoint({ workspaceId })).id)
  made.statements()
  const all = await made.engine.endpoints.getMany(allWorkspaces, [...ids, 'ep_none'])
  expect(made.statements()).toHaveLength(1)
  expect(all.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  expect((await made.engine.endpoints.getMany('w2', ids)).map(({ id }) => id)).toEqual([ids[1]])
  await expect(made.engine.endpoints.getMany('w2', [])).rejects.toThrow('the number of ids must be')
})

interface Listed {
  id: string
  workspaceId: string
}

type List = (
  engine: Engine,
  scope: WorkspaceScope,
  page: { limit: number; before?: string | undefined },
) => Promise<Page<Listed>>

/** Every row, page by page. */
async function walk(engine: Engine, list: List, scope: WorkspaceScope, limit: number): Promise<string[]> {
  const rows: Listed[] = []
  let page: Page<Listed> | undefined
  for (let count = 0; count < 200 && (!page || page.next !== undefined); count++) {
    page = await list(engine, scope, { limit, before: page?.next })
    rows.push(...page.rows)
  }
  expect(page?.next).toBeUndefined()
  return rows.map(({ workspaceId, id }) => `${workspaceId} ${id}`)
}

const deliveries = `select workspace_id, id from pending_events`
const attempts = `select workspace_id, cast(id as text) as id from keepsend_attempts as attempt`
const failed = `outcome <> 'delivered' and outcome <> 'superseded'`

/** Each list, and the statement of the test that says which rows belong to it, in which order. */
const LISTS: [name: string, list: List, sql: string][] = [
  ['attempts', (engine, scope, page) => engine.attempts.list(scope, page), `${attempts} order by attempt.id desc`],
  [
    'attempts that failed',
    (engine, scope, page) => engine.attempts.list(scope, { ...page, outcome: 'unsuccessful' }),
    `${attempts} where ${failed} order by attempt.id desc`,
  ],
  [
    'attempts of a class',
    (engine, scope, page) => engine.attempts.list(scope, { ...page, errorClass: 'http_4xx' }),
    `${attempts} where error_class = 'http_4xx' order by attempt.id desc`,
  ],
  [
    'failed deliveries',
    (engine, scope, page) => engine.deliveries.list(scope, { ...page, status: 'failed' }),
    `${deliveries} where status = 'failed' order by id desc`,
  ],
  [
    'pending deliveries of a type',
    (engine, scope, page) => engine.deliveries.list(scope, { ...page, status: 'pending', type: 'a.odd' }),
    `${deliveries} where status = 'pending' and event_type = 'a.odd' order by id desc`,
  ],
  [
    'delivered deliveries',
    (engine, scope, page) => engine.deliveries.list(scope, { ...page, status: 'completed' }),
    `select workspace_id, delivery_id as id from keepsend_attempts as attempt where outcome = 'delivered' order by attempt.id desc`,
  ],
  [
    'events',
    (engine, scope, page) => engine.events.list(scope, page),
    'select workspace_id, id from keepsend_events order by id desc, workspace_id desc',
  ],
  [
    'events of a type',
    (engine, scope, page) => engine.events.list(scope, { ...page, type: 'a.odd' }),
    `select workspace_id, id from keepsend_events where event_type = 'a.odd' order by id desc, workspace_id desc`,
  ],
  [
    'problems',
    (engine, scope, page) => engine.problems.list(scope, page),
    `select workspace_id, 'prb_' || endpoint_id || '.' || error_class || '.' || http_status as id from keepsend_problems
     order by last_seen_at desc, endpoint_id desc`,
  ],
  [
    'actions',
    (engine, scope, page) => engine.audit.list(scope, page),
    'select workspace_id, id from keepsend_audit order by id desc',
  ],
  [
    'actions of a verb',
    (engine, scope, page) => engine.audit.list(scope, { ...page, verb: 'endpoint.create' }),
    `select workspace_id, id from keepsend_audit where verb = 'endpoint.create' order by id desc`,
  ],
]

describe('a list across all workspaces', () => {
  it.each(LISTS)('of %s has every row once, newest first, on pages of any size', async (_, list, sql) => {
    const made = await threeTenants()
    const exact = (await made.select(sql)).map((row) => `${String(row['workspace_id'])} ${String(row['id'])}`)
    expect(exact.length).toBeGreaterThan(1)
    for (const limit of [1, 2, 5, 100]) expect(await walk(made.engine, list, allWorkspaces, limit)).toEqual(exact)
    for (const workspaceId of WORKSPACES) {
      const own = exact.filter((row) => row.startsWith(`${workspaceId} `))
      expect(await walk(made.engine, list, workspaceId, 2), workspaceId).toEqual(own)
    }
  })

  it('of deliveries merges rows and delivered ones, and finds those of an endpoint and of an event', async () => {
    const made = await threeTenants()
    const list =
      (filter: object): List =>
      (engine, scope, page) =>
        engine.deliveries.list(scope, { ...page, ...filter })
    const all = await walk(made.engine, list({}), allWorkspaces, 2)
    const each = await Promise.all(WORKSPACES.map((workspaceId) => walk(made.engine, list({}), workspaceId, 100)))
    expect(all.toSorted()).toEqual(each.flat().toSorted())
    expect(all).toHaveLength(12)
    for (const workspaceId of WORKSPACES) {
      const endpointId = made.endpoints[workspaceId]
      const own = await walk(made.engine, list({}), workspaceId, 100)
      expect(await walk(made.engine, list({ endpointId }), allWorkspaces, 3)).toEqual(own)
      const [first = ''] = own
      const eventId = first.split(' ')[1]?.split('.')[0]
      expect(await walk(made.engine, list({ eventId }), allWorkspaces, 3)).toEqual([first])
    }
  })

  it('of attempts finds those of a delivery and of an endpoint', async () => {
    const made = await threeTenants()
    for (const workspaceId of WORKSPACES) {
      const { rows } = await made.engine.attempts.list(workspaceId, { limit: 100 })
      const filters = [{ endpointId: made.endpoints[workspaceId] }, { deliveryId: rows[0]?.deliveryId }]
      const failures = { outcome: 'unsuccessful' as const }
      for (const filter of [...filters, ...filters.map((one) => ({ ...one, ...failures }))]) {
        const own = await made.engine.attempts.list(workspaceId, { limit: 100, ...filter })
        expect(await made.engine.attempts.list(allWorkspaces, { limit: 100, ...filter })).toEqual(own)
      }
    }
  })

  it('of events tells those apart that several workspaces published under one id', async () => {
    const made = await rig({ history: true })
    const ids = [newEventId(), newEventId(), newEventId()]
    const workspaces = ['a', 'b', 'ü/.', 'w1', 'z%']
    for (const [n, id] of ids.entries())
      for (const workspaceId of workspaces)
        await made.engine.publish({ id, type: workspaceId === 'b' ? 'b' : n === 1 ? 'x' : 'y', workspaceId, data: {} })
    const sql = 'select workspace_id, id from keepsend_events order by id desc, workspace_id desc'
    const exact = (await made.select(sql)).map((row) => `${String(row['workspace_id'])} ${String(row['id'])}`)
    expect(exact).toHaveLength(15)
    const ofType =
      (type?: string): List =>
      (engine, scope, page) =>
        engine.events.list(scope, { ...page, type })
    for (const limit of [1, 2, 3, 4, 7, 15, 16]) {
      expect(await walk(made.engine, ofType(), allWorkspaces, limit)).toEqual(exact)
      const ofB = exact.filter((row) => row.startsWith('b '))
      expect(await walk(made.engine, ofType('b'), allWorkspaces, limit)).toEqual(ofB)
      const others = exact.filter((row) => row.endsWith(ids[1] ?? '') && !row.startsWith('b '))
      expect(await walk(made.engine, ofType('x'), allWorkspaces, limit)).toEqual(others)
    }
  })

  it('of events goes on within one id after a page that ends early', async () => {
    const made = await rig({ history: true })
    const id = newEventId()
    for (const workspaceId of ['a', 'b', 'c', 'd']) await made.engine.publish({ id, type: 't', workspaceId, data: {} })
    // A page ends after the event with which it has counted 2,000 deliveries.
    await made.exec('update keepsend_events set deliveries = 1500')
    const list: List = (engine, scope, page) => engine.events.list(scope, page)
    const first = await list(made.engine, allWorkspaces, { limit: 50 })
    expect(first).toMatchObject({ rows: [{ workspaceId: 'd' }, { workspaceId: 'c' }], complete: false })
    expect(await walk(made.engine, list, allWorkspaces, 50)).toEqual(['d', 'c', 'b', 'a'].map((one) => `${one} ${id}`))
  })

  it('of events needs recorded ones, and says so', async () => {
    const { engine } = await rig({ history: { events: false } })
    await expect(engine.events.list(allWorkspaces, { limit: 1 })).rejects.toMatchObject({
      code: 'not_retained',
      message: expect.stringContaining('history.events') as string,
    })
    expect((await engine.events.list('w1', { limit: 1 })).rows).toEqual([])
  })
})

it('one delivery is read across all workspaces, with its attempts, as in its own', async () => {
  const made = await threeTenants()
  const { engine } = made
  for (const workspaceId of WORKSPACES) {
    const [row] = (await engine.deliveries.list(workspaceId, { limit: 1 })).rows
    const id = row?.id ?? ''
    expect(await engine.deliveries.get(allWorkspaces, id)).toEqual(await engine.deliveries.get(workspaceId, id))
    const own = await engine.deliveries.getWithAttempts(workspaceId, id)
    expect(await engine.deliveries.getWithAttempts(allWorkspaces, id)).toEqual(own)
    expect(own).toMatchObject({ workspaceId, latestAttempts: { rows: [{ workspaceId }] } })
  }
  const missing = `${newEventId()}.ep_1`
  for (const method of ['get', 'getWithAttempts'] as const)
    await expect(engine.deliveries[method](allWorkspaces, missing)).rejects.toMatchObject({ code: 'not_retained' })
})

it('statistics across all workspaces count every attempt, those of endpoints too, before and after they are added up', async () => {
  const made = await counted()
  const a = (await made.addEndpoint({ workspaceId: 'w1' })).id
  const b = (await made.addEndpoint({ workspaceId: 'w2' })).id
  const all = await made.add(
    Array.from({ length: 300 }, (_, n) => ({
      at: NOON - 1 - n * 30_000,
      workspaceId: n % 3 === 0 ? 'w2' : 'w1',
      endpointId: n % 3 === 0 ? b : a,
      outcome: n % 5 === 0 ? ('failed' as const) : ('delivered' as const),
    })),
  )
  const range = { since: NOON - 3 * HOUR, until: NOON }
  const check = async (): Promise<void> => {
    for (const endpointId of [undefined, a, b, 'ep_none']) {
      const own = all.filter((one) => endpointId === undefined || one.endpointId === endpointId)
      const { buckets } = await made.engine.statistics.series(allWorkspaces, { ...range, by: 'hour', endpointId })
      const sum = { ...NOTHING }
      for (const bucket of buckets)
        for (const name of Object.keys(NOTHING) as (keyof typeof NOTHING)[]) sum[name] += bucket[name]
      expect(sum, endpointId).toEqual(countsOf(own))
    }
    const endpointIds = [b, 'ep_none', a]
    const { endpoints } = await made.engine.statistics.summary(allWorkspaces, { ...range, endpointIds })
    const [ofB, ofNone, ofA] = endpoints
    const none = await made.engine.statistics.summary(allWorkspaces, { ...range, endpointIds: ['ep_none'] })
    expect(none.endpoints).toEqual([ofNone])
    expect(ofNone).toMatchObject({ workspaceId: null, delivered: 0, p50Ms: null, lastError: null })
    for (const [found, workspaceId, id] of [
      [ofA, 'w1', a],
      [ofB, 'w2', b],
    ] as const) {
      const own = await made.engine.statistics.summary(workspaceId, { ...range, endpointIds: [id] })
      expect(found).toEqual(own.endpoints[0])
      expect(found).toMatchObject({ workspaceId, ...countsOf(all.filter((one) => one.endpointId === id)) })
    }
  }
  await made.setClock(NOON)
  await check()
  await made.setClock(NOON + 2 * HOUR)
  await made.rollUp()
  expect(await made.count('keepsend_statistics')).toBeGreaterThan(0)
  await check()
})

describe('a scope in code', () => {
  it('is one symbol for all copies of the package', () => {
    expect(allWorkspaces).toBe(Symbol.for('keepsend.allWorkspaces'))
  })

  it('is never all workspaces by accident', async () => {
    const { engine } = await rig({ history: true })
    const calls: Record<string, (scope: WorkspaceScope) => Promise<unknown>> = {
      'attempts.list': (scope) => engine.attempts.list(scope, { limit: 1 }),
      'deliveries.list': (scope) => engine.deliveries.list(scope, { limit: 1 }),
      'deliveries.get': (scope) => engine.deliveries.get(scope, 'evt_1'),
      'deliveries.getWithAttempts': (scope) => engine.deliveries.getWithAttempts(scope, 'evt_1'),
      'events.list': (scope) => engine.events.list(scope, { limit: 1 }),
      'audit.list': (scope) => engine.audit.list(scope, { limit: 1 }),
      'problems.list': (scope) => engine.problems.list(scope, { limit: 1 }),
      'statistics.series': (scope) => engine.statistics.series(scope, { by: 'day', since: NOON }),
      'statistics.summary': (scope) => engine.statistics.summary(scope, { since: NOON, endpointIds: ['ep_1'] }),
    }
    for (const [name, call] of Object.entries(calls))
      for (const scope of [undefined, null, '', '\0', Symbol('keepsend.allWorkspaces'), Symbol.for('all'), {}])
        await expect(call(scope as string), `${name} ${typeof scope}`).rejects.toMatchObject({
          code: 'invalid_request',
          message: expect.stringContaining('workspaceId must be') as string,
        })
  })

  it('of all workspaces is refused by every method but these reads', async () => {
    const { engine } = await rig({ history: true })
    const { endpoints, apiKeys, deliveries: ofDeliveries, events, attempts: ofAttempts } = engine
    const { problems, statistics, workspaces, audit } = engine
    const stores = {
      endpoints,
      apiKeys,
      deliveries: ofDeliveries,
      events,
      attempts: ofAttempts,
      problems,
      statistics,
      workspaces,
      audit,
    }
    const taking =
      /^(attempts|audit|deliveries|endpoints|events|problems)\.list$|^deliveries\.get(WithAttempts)?$|^statistics\./
    const others = Object.entries(stores).flatMap(([store, methods]) =>
      Object.entries<(...values: never[]) => Promise<unknown>>({ ...methods })
        .map(([name, method]) => ({ name: `${store}.${name}`, method }))
        .filter(({ name }) => !taking.test(name) && !/\.(authenticate|create)$/.test(name)),
    )
    const options = { limit: 1, endpointId: 'ep_1' }
    const calls = [
      ...others.map(({ name, method }) => ({ name, call: () => method(allWorkspaces as never, options as never) })),
      { name: 'sendTest', call: () => engine.sendTest(allWorkspaces as never, 'ep_1') },
      { name: 'publishTest', call: () => engine.publishTest(allWorkspaces as never, 'ep_1') },
      { name: 'apiKeys.create', call: () => apiKeys.create({ workspaceId: allWorkspaces as never }) },
      { name: 'endpoints.create', call: () => endpoints.create(allWorkspaces as never, { url: 'https://a.example/' }) },
    ]
    for (const { name, call } of calls)
      await expect((async () => call())(), name).rejects.toMatchObject({ name: 'EngineError' })
    expect(calls.length).toBeGreaterThan(20)
  })
})

/** Three tenants, and keys: of a tenant, and of an operator of another workspace. */
async function overHttp(options: Parameters<typeof rig>[0] = {}) {
  const made = await threeTenants(options)
  const { apiKeys } = made.engine
  const tenant = (await apiKeys.create({ workspaceId: 'w1' })).key
  const operator = (await apiKeys.create({ workspaceId: 'w3', scopes: [...SCOPES, ...OPERATOR_SCOPES] })).key
  const get = async (path: string, key = operator) =>
    read(made.engine.routes.request(path, { headers: { authorization: `Bearer ${key}` } }))
  const items = async (path: string, key = operator) => {
    const { status, body } = await get(path, key)
    expect(status, path).toBe(200)
    return body['data'] as (Listed & Record<string, unknown>)[]
  }
  return { ...made, tenant, operator, get, items }
}

const PATHS = ['/attempts', '/audit', '/deliveries', '/events', '/problems']

describe('over HTTP an operator', () => {
  it('lists all workspaces, another one or the own, each item with its workspace', async () => {
    const made = await overHttp()
    for (const path of PATHS) {
      const all = await made.items(`${path}?workspaceId=*&limit=100`)
      // The first tenant has no problem.
      expect(new Set(all.map(({ workspaceId }) => workspaceId)).size, path).toBe(path === '/problems' ? 2 : 3)
      for (const [query, workspaceId] of [
        ['workspaceId=w2', 'w2'],
        ['workspaceId=w3', 'w3'],
        ['', 'w3'],
      ])
        expect(await made.items(`${path}?limit=100&${query}`), `${path}?${query}`).toEqual(
          all.filter((one) => one.workspaceId === workspaceId),
        )
      expect(await made.items(`${path}?workspaceId=nobody`)).toEqual([])
      const paged = []
      for (let cursor: unknown = ''; cursor !== undefined;) {
        const after = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor as string)}`
        const { body } = await made.get(`${path}?workspaceId=*&limit=1${after}`)
        paged.push(...(body['data'] as unknown[]))
        cursor = body['cursor']
      }
      expect(paged, path).toEqual(all)
    }
  })

  it('reads a delivery, its attempts, an event and statistics of another workspace', async () => {
    const made = await overHttp()
    const [delivery] = await made.items('/deliveries?workspaceId=w2&limit=1')
    const id = delivery?.id ?? ''
    for (const scope of ['w2', '*']) {
      const { body } = await made.get(`/deliveries/${id}?workspaceId=${scope}`)
      expect(body).toMatchObject({ id, workspaceId: 'w2', latestAttempts: { data: [{ workspaceId: 'w2' }] } })
      expect(await made.items(`/deliveries/${id}/attempts?workspaceId=${scope}`)).toMatchObject([{ workspaceId: 'w2' }])
      const since = new Date(Date.now() - HOUR).toISOString()
      const [ofEndpoint] = await made.items(
        `/statistics/endpoints?since=${since}&endpointIds=${made.endpoints['w2']}&workspaceId=${scope}`,
      )
      expect(ofEndpoint).toMatchObject({ workspaceId: 'w2', retried: 4 })
      const buckets = await made.items(`/statistics?by=day&since=${since}&workspaceId=${scope}`)
      const delivered = buckets.reduce((sum, one) => sum + Number(one['delivered']), 0)
      expect(delivered).toBe(scope === '*' ? 4 : 0)
    }
    const event = id.split('.')[0] ?? ''
    expect((await made.get(`/events/${event}?workspaceId=w2`)).body).toMatchObject({
      id: event,
      workspaceId: 'w2',
      payload: { data: { of: 'w2' } },
      deliveries: [{ id, workspaceId: 'w2' }],
    })
    expect(await made.get(`/events/${event}?workspaceId=*`)).toEqual(problem(400, 'invalid_request'))
    expect(await made.get(`/events/${event}`)).toEqual(problem(404, 'not_retained'))
    expect(await made.get(`/deliveries/${id}`)).toEqual(problem(404, 'not_retained'))
  })

  it('needs the scope of each route too, and changes nothing in other workspaces', async () => {
    const made = await overHttp()
    const { key } = await made.engine.apiKeys.create({ workspaceId: 'w3', scopes: ['workspaces:read'] })
    for (const path of PATHS) expect(await made.get(`${path}?workspaceId=*`, key)).toEqual(problem(403, 'forbidden'))
    const [delivery] = await made.items('/deliveries?workspaceId=w1&status=completed&limit=1')
    const before = await made.rows()
    for (const [path, query] of [
      [`/deliveries/${delivery?.id}/replay`, ''],
      [`/deliveries/${delivery?.id}/replay`, '?workspaceId=w1'],
      [`/endpoints/${made.endpoints['w1']}/test`, '?workspaceId=w1'],
      [`/endpoints/${made.endpoints['w1']}/pause`, ''],
    ]) {
      const answer = await made.engine.routes.request(`${path}${query}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${made.operator}`, 'content-type': 'application/json' },
        body: '{}',
      })
      expect(answer.status, `${path}${query}`).toBe(query === '' ? 404 : 400)
    }
    expect(await made.rows()).toEqual(before)
    expect(await made.get('/endpoints?workspaceId=w1')).toEqual(problem(400, 'invalid_request'))
  })

  it('is refused a workspace id that none can have', async () => {
    const made = await overHttp()
    for (const workspaceId of ['', 'x'.repeat(256)])
      expect(await made.get(`/attempts?workspaceId=${workspaceId}`)).toEqual(problem(400, 'invalid_request'))
  })
})

describe('a key without the scope', () => {
  it('is the default, and an unknown scope is still refused', async () => {
    const { engine } = await rig()
    await engine.apiKeys.create({ workspaceId: 'w1' })
    const { id } = await engine.apiKeys.create({ workspaceId: 'w1', scopes: ['workspaces:read'] })
    const { id: next } = await engine.apiKeys.rotate('w1', id)
    const scopes = (await engine.apiKeys.list('w1')).map((key) => key.scopes)
    expect(scopes).toEqual([
      SCOPES.filter((scope) => scope !== 'keys:write' && scope !== 'erasures:write'),
      ['workspaces:read'],
      ['workspaces:read'],
    ])
    expect(SCOPES).not.toContain('workspaces:read')
    expect(next).not.toBe(id)
  })

  it('of a workspace whose id is * reads that one alone', async () => {
    const made = await overHttp()
    const { key } = await made.engine.apiKeys.create({ workspaceId: '*' })
    // Its one action is that this key was made.
    for (const path of PATHS) {
      const items = await made.items(`${path}?workspaceId=*`, key)
      expect(items, path).toHaveLength(path === '/audit' ? 1 : 0)
    }
  })

  it('as a principal of the host has the scope only if the host says so', async () => {
    const scopes = { tenant: [...SCOPES], operator: [...SCOPES, ...OPERATOR_SCOPES] }
    const authenticate = async (request: Request) => ({
      workspaceId: 'w1',
      scopes: scopes[request.headers.get('x-user') as keyof typeof scopes],
    })
    const made = await threeTenants({ authenticate })
    const as = async (user: string) =>
      (await made.engine.routes.request('/attempts?workspaceId=*', { headers: { 'x-user': user } })).status
    expect([await as('tenant'), await as('operator')]).toEqual([403, 200])
  })
})
