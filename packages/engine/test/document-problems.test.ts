// Each problem of the document is answered by its route. That routes answer no others is checked by document-check.ts.
import { randomBytes } from 'node:crypto'
import { OutboxError, enqueueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type EngineOptions, OPERATOR_SCOPES, SCOPES, createKeyRing } from '../src/index.ts'
import { openDatabase } from './database.ts'
import { rig } from './rig.ts'
import { GOOD_BODIES, GOOD_QUERIES, type Route, documentOf, routesOf } from './routes.ts'

interface Differs {
  key?: string | null
  id?: string
  query?: string
  headers?: Record<string, string>
  body?: string | undefined
}

type World = ReturnType<Awaited<ReturnType<typeof world>>>

/** An endpoint with a failed delivery, and for each route a valid request with changes. */
async function world(options: Partial<EngineOptions> = {}) {
  let failure: Error | undefined
  const on = await openDatabase()
  const made = await rig({
    on,
    history: true,
    retrySchedule: [],
    answer: () => 400,
    wrap: (db) => ({
      ...db,
      run: (statement) => (failure ? Promise.reject(failure) : db.run(statement)),
      atomic: (statements) => (failure ? Promise.reject(failure) : db.atomic(statements)),
    }),
    ...options,
  })
  const endpoint = await made.addEndpoint()
  await made.engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
  await made.work()
  const [delivery] = await made.rows()
  const ids = {
    endpoints: endpoint.id,
    'endpoints-by-uid': endpoint.id,
    events: delivery?.id.slice(0, 40),
    deliveries: delivery?.id,
    problems: `prb_${endpoint.id}.http_4xx.400`,
    workspaces: 'w1',
    'api-keys': (await made.engine.apiKeys.create({ workspaceId: 'w1' })).id,
    erasures: (await made.engine.erase({ workspaceId: 'w1', what: 'range', until: 0 })).id,
    replays: (await made.engine.replays.create('w1', { what: 'ids', ids: [delivery?.id ?? ''] })).id,
  }
  // An event without an attempt, which can be cancelled.
  const cancellable = { eventId: newEventId(), endpointId: endpoint.id, workspaceId: 'w1', type: 'a', payload: '{}' }
  await enqueueEvents(on.db, [{ ...cancellable, due: Date.now() + 86_400_000 }])
  const { key } = await made.engine.apiKeys.create({ workspaceId: 'w1', scopes: [...SCOPES, ...OPERATOR_SCOPES] })
  const fail = (error: Error): void => void (failure = error)

  let waiting: Promise<string> | undefined
  /** A delivery that is not settled; most routes need none, and it counts in limits. */
  const waitingId = (): Promise<string> =>
    (waiting ??= made.engine
      .publish({ type: 'message.created', workspaceId: 'w1', data: {} })
      .then(({ eventId }) => `${eventId}.${endpoint.id}`))

  return (route: Route) => {
    const isCancel = route.path === '/events/{id}/cancel'
    const own = isCancel ? cancellable.eventId : (ids[route.path.split('/')[1] as keyof typeof ids] ?? '')
    const good = route.takesBody ? JSON.stringify(GOOD_BODIES[`${route.method} ${route.path}`]) : undefined

    const ask = async (differs: Differs = {}, { engine } = made): Promise<Response> => {
      const {
        id = /retry-now|give-up/.test(route.path) ? await waitingId() : own,
        query = '',
        headers,
        body = good,
      } = differs
      const credential = differs.key === undefined ? key : differs.key
      return engine.routes.request(`${route.path.replace(/\{u?id\}/, id)}${query}`, {
        method: route.method,
        headers: {
          'content-type': 'application/json',
          ...(credential !== null && { authorization: `Bearer ${credential}` }),
          ...headers,
        },
        ...(body !== undefined && { body }),
      })
    }
    return { ...made, on, endpoint, good, attempted: ids.events, ask, fail }
  }
}

const keyed = { headers: { 'idempotency-key': 'k1' } }
const limits = (one: EngineOptions['limits']): Partial<EngineOptions> => ({ limits: one, monotonic: () => 0 })
const broken =
  (error: Error) =>
  ({ fail, ask }: World): Promise<Response> => {
    fail(error)
    return ask()
  }

/** The database as D1 is: it bills each row that is written. */
const billed = ({ db, ...on }: World['on']): World['on'] => ({
  ...on,
  db: { ...db, dialect: { ...db.dialect, isBilled: true } },
})

/** How to provoke each problem, on every route that has it. */
const PROVOKED: Record<string, [provoke: (world: World, route: Route) => Promise<Response>, Partial<EngineOptions>?]> =
  {
    invalid_request: [({ ask }) => ask({ query: '?x=%00' })],
    unauthenticated: [({ ask }) => ask({ key: null })],
    forbidden: [
      async ({ ask, engine }) => ask({ key: (await engine.apiKeys.create({ workspaceId: 'w1', scopes: [] })).key }),
    ],
    not_found: [
      ({ ask }, { path }) =>
        ask({ id: 'ep_none', ...(path === '/replays' && { body: '{"what":"failed","endpointId":"ep_none"}' }) }),
    ],
    not_retained: [
      async ({ ask, on, exec }, { path }) => {
        if (path.endsWith('/export')) {
          await exec('drop index keepsend_attempts_workspace')
          return ask({}, await rig({ on: billed(on), history: { attempts: 'all' } }))
        }
        return ask({
          id: 'evt_none',
          query: path === '/events' ? '?traceId=a' : (GOOD_QUERIES[path] ?? ''),
          ...(path === '/replays' && { body: '{"what":"delivered"}' }),
        })
      },
      { history: false },
    ],
    conflict: [
      async ({ ask, on, engine, endpoint, attempted = '', rows, good, exec }, { method, path }) => {
        if (path === '/erasures') {
          const range = { workspaceId: 'w1', what: 'range', until: 0 } as const
          for (let made = 1; made < 10; made++) await engine.erase(range)
          return ask({ body: '{"what":"workspace"}' })
        }
        if (path === '/replays') {
          const [row] = await rows()
          return ask({ body: JSON.stringify({ what: 'ids', ids: [row?.id] }) })
        }
        if (path === '/endpoints/{id}/replay') {
          // What failed in this millisecond is not taken.
          await exec('update pending_events set completed_at = completed_at - 1000')
          return ask({ body: '{}' })
        }
        if (path.startsWith('/replays')) {
          await exec(`update keepsend_replays set state = 'completed', ended_at = 1`)
          return ask()
        }
        if (path.endsWith('/cancel')) return ask({ id: attempted })
        if (path.endsWith('/test/send')) return ask({}, await rig({ on, sender: undefined }))
        if (path === '/endpoints' || method === 'PATCH') {
          await engine.endpoints.upsert('w1', 'taken', { url: 'https://hooks.example.com/' })
          return ask({ body: JSON.stringify({ ...(JSON.parse(good ?? '') as object), uid: 'taken' }) })
        }
        await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
        const found = (await rows()).find(({ status }) => status === (path.endsWith('/replay') ? 'pending' : 'failed'))
        if (path.startsWith('/deliveries')) return ask({ id: found?.id ?? '' })
        for (let version = 2; version <= 10; version++) await engine.endpoints.rotateSecret('w1', endpoint.id)
        return ask()
      },
    ],
    idempotency_in_flight: [
      async ({ ask, exec }) => {
        await ask(keyed)
        await exec(`insert into keepsend_idempotency_marks (workspace_id, method, route, key_hash, owner, expires_at)
        select workspace_id, method, route, key_hash, 'other', 9000000000000 from keepsend_idempotency_records`)
        await exec('delete from keepsend_idempotency_records')
        return ask(keyed)
      },
    ],
    erased: [
      async ({ ask, exec }) => {
        await ask(keyed)
        await exec(`update keepsend_idempotency_records set body = ''`)
        return ask(keyed)
      },
    ],
    idempotency_mismatch: [
      async ({ ask, good }) => {
        await ask(keyed)
        return ask({ ...keyed, body: `${good ?? '{}'} ` })
      },
    ],
    too_many_idempotency_records: [
      async ({ ask }) => {
        await ask(keyed)
        return ask({ headers: { 'idempotency-key': 'k2' } })
      },
      limits({ idempotencyRecordsPerWorkspace: 1 }),
    ],
    too_many_api_keys: [
      async ({ ask, exec }) => {
        await exec(`insert into keepsend_api_keys select key_hash || 'x', id || 'x', workspace_id, name, scopes, created_at,
          expires_at, last_used_at from keepsend_api_keys`)
        return ask()
      },
      limits({ apiKeysPerWorkspace: 2 }),
    ],
    too_many_endpoints: [({ ask }) => ask(), limits({ endpointsPerWorkspace: 1 })],
    precondition_failed: [({ ask }) => ask({ headers: { 'if-match': '"99"' } })],
    payload_too_large: [({ ask }) => ask({ ...keyed, body: ' '.repeat(1_048_577) })],
    too_many_deliveries: [
      async ({ ask, addEndpoint }) => {
        await addEndpoint()
        return ask()
      },
      limits({ deliveriesPerPublish: 1 }),
    ],
    unsupported_media_type: [({ ask }) => ask({ headers: { 'content-type': 'text/plain' } })],
    invalid_event: [({ ask }) => ask({ body: '{"type":"keepsend.own","data":{}}' })],
    invalid_endpoint: [
      ({ ask }, { path }) =>
        ask({ body: path.endsWith('rotate-secret') ? '{"overlapMs":-1}' : '{"url":"https://10.0.0.1/"}' }),
    ],
    too_many_requests: [
      async ({ ask }) => {
        await ask()
        return ask()
      },
      limits({ requestsPerSecond: 1 }),
    ],
    too_many_replays: [
      async ({ ask, exec }) => {
        // None of this endpoint, which would be a conflict.
        await exec(`update keepsend_replays set endpoint_id = 'ep_0'`)
        await exec(`
          insert into keepsend_replays (id, workspace_id, endpoint_id, what, selection, since_at, until_at, planned, planned_more,
            position, paced_to, due_at, created_at)
          with recursive n (n) as (select 1 union all select n + 1 from n where n < 9)
          select 'rep_' || n, 'w1', 'ep_' || n, 'failed', '{}', 0, 0, 0, 0, '{"open":[],"walked":null}', 0, 0, 0 from n`)
        return ask()
      },
    ],
    too_many_waiting: [
      async ({ ask, engine }) => {
        await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
        return ask()
      },
      limits({ waitingPerWorkspace: 2 }),
    ],
    secret_unreadable: [
      async ({ ask, on }) => {
        const secrets = createKeyRing([{ id: 'k1', key: randomBytes(32).toString('base64') }])
        return ask({}, await rig({ on, secrets }))
      },
    ],
    invalid_option: [({ ask }) => ask(), { authenticate: async () => ({}) as never }],
    commit_unconfirmed: [broken(new OutboxError('commit_unconfirmed', 'the connection ended'))],
    internal: [broken(new Error('a defect'))],
    not_accepted: [broken(new OutboxError('not_accepted', 'the disk is full'))],
  }

const CHANGING = new Set([
  'conflict',
  'idempotency_in_flight',
  'erased',
  'idempotency_mismatch',
  'too_many_api_keys',
  'too_many_idempotency_records',
  'too_many_replays',
  'too_many_waiting',
  'too_many_requests',
])

describe('a problem that the document has is answered by the route:', () => {
  it.each(Object.entries(PROVOKED))('%s', async (code, [provoke, options]) => {
    const document = await documentOf(await rig())
    // Provoked in a separate world, because it changes something.
    const shared = await world(options)
    let found = 0
    for (const route of routesOf(document)) {
      const { responses = {} } = document.paths[route.path]?.[route.method.toLowerCase()] ?? {}
      const status = Object.keys(responses).find((one) => responses[one]?.description?.includes(`\`${code}\`: `))
      if (status === undefined) continue
      found++
      const answer = await provoke((CHANGING.has(code) ? await world(options) : shared)(route), route)
      expect([answer.status, await answer.json()], `${route.method} ${route.path}`).toMatchObject([
        Number(status),
        { code },
      ])
    }
    expect(found).toBeGreaterThan(0)
  })

  it('and the document has no other', async () => {
    const document = await documentOf(await rig())
    const codes = Object.values(document.paths).flatMap((operations) =>
      Object.values(operations).flatMap(({ responses }) =>
        Object.values(responses).flatMap(({ description = '' }) =>
          [...description.matchAll(/`(\w+)`: /g)].map(([, code]) => code),
        ),
      ),
    )
    expect(new Set(codes)).toEqual(new Set(Object.keys(PROVOKED)))
  })
})
