import { describe, expect, it } from 'vitest'
import { SCOPES } from '../../index.ts'
import { type Rig, rig } from '../../../test/rig.ts'
import { GOOD_BODIES, changesSomething, documentOf, operationOf, routesOf } from '../../../test/routes.ts'
import { type Statement, claimDueEvents } from '@keepsend/outbox'
import { rowsAs } from '@keepsend/outbox/internal'

/** The API with an endpoint and its failed delivery, and a function that sends requests under a key. */
async function world(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig({ history: true, retrySchedule: [], answer: () => 400, ...options })
  const { id } = await made.addEndpoint({ headers: { authorization: 'Bearer header-secret' } })
  await made.engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
  await made.work()
  const [delivery] = await made.rows()
  const keys = new Map<string, string>()
  for (const workspaceId of ['w1', 'w2']) {
    keys.set(workspaceId, (await made.engine.apiKeys.create({ workspaceId, scopes: SCOPES })).key)
  }
  const call = async (
    method: string,
    path: string,
    { body, key, workspaceId = 'w1' }: { body?: unknown; key?: string; workspaceId?: string } = {},
  ): Promise<Response> =>
    made.engine.routes.request(path, {
      method,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${keys.get(workspaceId)}`,
        ...(key !== undefined && { 'idempotency-key': key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  /** The route's path with the ids of existing rows. */
  const apiKey = (await made.engine.apiKeys.create({ workspaceId: 'w1' })).id
  const { eventId: waiting } = await made.engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
  await made.exec(`update pending_events set completed_at = completed_at - 1000 where status = 'failed'`)
  const ids: Record<string, string | undefined> = {
    events: waiting,
    deliveries: delivery?.id,
    replays: (await made.engine.replays.create('w1', { what: 'failed' })).id,
    problems: `prb_${id}.http_4xx.400`,
    'api-keys': apiKey,
  }
  const idFor = (path: string) =>
    /retry-now|give-up/.test(path) ? `${waiting}.${id}` : (ids[path.split('/')[1] ?? ''] ?? id)
  const at = (path: string) => path.replace(/\{u?id\}/, idFor(path))
  return { ...made, id, call, at }
}

const MUTATING = [
  'POST /events',
  'POST /endpoints',
  'PUT /endpoints-by-uid/{uid}',
  'PATCH /endpoints/{id}',
  'DELETE /endpoints/{id}',
  'POST /endpoints/{id}/pause',
  'POST /endpoints/{id}/resume',
  'POST /endpoints/{id}/enable',
  'POST /endpoints/{id}/disable',
  'POST /endpoints/{id}/rotate-secret',
  'POST /endpoints/{id}/test',
  'POST /endpoints/{id}/test/send',
  'POST /endpoints/{id}/replay',
  'POST /deliveries/{id}/replay',
  'POST /deliveries/{id}/retry-now',
  'POST /deliveries/{id}/give-up',
  'POST /events/{id}/cancel',
  'POST /erasures',
  'POST /replays',
  'POST /replays/{id}/pause',
  'POST /replays/{id}/resume',
  'POST /replays/{id}/cancel',
  'POST /problems/{id}/acknowledge',
  'POST /problems/{id}/resolve',
  'POST /api-keys',
  'DELETE /api-keys/{id}',
  'POST /api-keys/{id}/rotate',
].map((name) => {
  const [method = '', path = ''] = name.split(' ')
  return { method, path }
})

/** The answer to a repeat: an API key is shown once. */
const repeated = (answer: string) => answer.replace(/"key":"ks_[^"]+"/, '"key":null')

/** Everything that a change could have written, except the idempotency records. */
async function left({ select }: Pick<Rig, 'select'>): Promise<unknown> {
  const tables = [
    'keepsend_endpoints',
    'keepsend_secrets',
    'keepsend_subscriptions',
    'keepsend_problems',
    'pending_events',
    'keepsend_attempts',
    'keepsend_replays',
    'keepsend_erasures',
    'keepsend_audit',
    '(select id, workspace_id, name, scopes, expires_at from keepsend_api_keys) as known',
  ]
  return Promise.all(tables.map((table) => select(`select * from ${table} order by 1, 2, 3`)))
}

describe.each(MUTATING)('$method $path', ({ method, path }) => {
  const name = `${method} ${path}`
  const body = GOOD_BODIES[name]

  it('changes once under an Idempotency-Key: the repeat changes nothing and gets the same answer', async () => {
    const made = await world()
    const first = await made.call(method, made.at(path), { body, key: 'k1' })
    const answer = await first.text()
    expect([first.ok, first.headers.get('idempotency-replayed')]).toEqual([true, null])
    const before = await left(made)
    const again = await made.call(method, made.at(path), { body, key: '"k1"' })
    expect([again.status, await again.text(), again.headers.get('idempotency-replayed')]).toEqual([
      first.status,
      repeated(answer),
      'true',
    ])
    expect(again.headers.get('etag')).toBe(first.headers.get('etag'))
    expect(await left(made)).toEqual(before)
    expect([await made.count('keepsend_idempotency_records'), await made.count('keepsend_idempotency_marks')]).toEqual([
      1, 0,
    ])
  })

  it('is refused with 422 under a key that was used with another body, and changes nothing', async () => {
    const made = await world()
    expect((await made.call(method, made.at(path), { body, key: 'k1' })).ok).toBe(true)
    const before = await left(made)
    const other = await made.call(method, made.at(path), { body: { ...(body as object), ...OTHER[name] }, key: 'k1' })
    expect([other.status, await other.json()]).toEqual([422, expect.objectContaining({ code: 'idempotency_mismatch' })])
    expect(await left(made)).toEqual(before)
  })

  it('stores no secret with its answer', async () => {
    const made = await world({ secrets: 'plaintext-for-development' })
    const answer = await (await made.call(method, made.at(path), { body, key: 'k1' })).text()
    const records = JSON.stringify(await made.select('select * from keepsend_idempotency_records'))
    expect(records).not.toMatch(/whsec_|whsk_|ks_|header-secret/)
    const secret = /"secret":"(whsec_[^"]+)"/.exec(answer)?.[1]
    expect(secret === undefined).toBe(!SECRETIVE.has(name))
    for (const { secret: kept } of await made.select('select secret from keepsend_secrets')) {
      expect(records).not.toContain(String(kept))
    }
  })

  it('changes once when two requests with one key come concurrently', async () => {
    const made = await world()
    const both = await Promise.all([1, 2].map(() => made.call(method, made.at(path), { body, key: 'k1' })))
    const statuses = both.map(({ status }) => status)
    expect(statuses.filter((status) => status < 300).length).toBeGreaterThanOrEqual(1)
    for (const status of statuses) expect([both.find(({ ok }) => ok)?.status, 409]).toContain(status)
    expect(await made.count('keepsend_idempotency_records')).toBe(1)
    const before = await left(made)
    const again = await made.call(method, made.at(path), { body, key: 'k1' })
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(await left(made)).toEqual(before)
  })

  it('treats the same key in another workspace as another key', async () => {
    const made = await world()
    const mine = await made.call(method, made.at(path), { body, key: 'k1' })
    const theirs = await made.call(method, made.at(path), { body, key: 'k1', workspaceId: 'w2' })
    expect(theirs.headers.get('idempotency-replayed')).toBeNull()
    expect(theirs.status).toBe(path.includes('{id}') ? 404 : mine.status)
    expect(await theirs.text()).not.toBe(await mine.text())
  })
})

/** An additional property, for another body. */
const OTHER: Record<string, object> = {
  'POST /endpoints/{id}/pause': { forMs: 5000 },
  'POST /events': { channels: ['general'] },
  'POST /endpoints': { description: 'other' },
  'PUT /endpoints-by-uid/{uid}': { description: 'other' },
  'PATCH /endpoints/{id}': { description: 'other' },
  'POST /endpoints/{id}/rotate-secret': { overlapMs: 1000 },
  'POST /endpoints/{id}/replay': { rate: 1 },
  'POST /problems/{id}/acknowledge': { by: 'erin' },
  'POST /endpoints/{id}/test/send': { data: { other: true } },
  'POST /replays': { rate: 1 },
  'POST /erasures': { eventId: 'evt_01890000-0000-7000-8000-000000000001' },
  'POST /api-keys': { name: 'other' },
  'POST /api-keys/{id}/rotate': { overlapMs: 1000 },
}
const SECRETIVE = new Set(['POST /endpoints', 'PUT /endpoints-by-uid/{uid}', 'POST /endpoints/{id}/rotate-secret'])

describe('two requests past the mark', () => {
  it.each(MUTATING)('$method $path commits once: the second fails at the record', async ({ method, path }) => {
    // As if the mark of the first had expired before the second request: each gets one.
    const made = await world({
      wrap: (db) => ({
        ...db,
        run: <R extends object>(statement: Statement) =>
          'sql' in statement && statement.sql.includes('insert into keepsend_idempotency_marks')
            ? rowsAs<R>(Promise.resolve({ rows: [{ owner: 'both' }], changes: 1 }))
            : db.run<R>(statement),
        atomic: (statements) => db.atomic(statements),
      }),
    })
    const body = GOOD_BODIES[`${method} ${path}`]
    const both = await Promise.all([1, 2].map(() => made.call(method, made.at(path), { body, key: 'k1' })))
    expect(both.map(({ ok }) => ok)).toEqual([true, true])
    expect(both.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(1)
    const [one, other] = await Promise.all(both.map((answer) => answer.text()))
    expect(repeated(one ?? '')).toBe(repeated(other ?? ''))
  })
})

describe('the stored answer', () => {
  it('of a change stays the same when the endpoint is changed again, and deleted', async () => {
    const { call, id } = await world()
    const change = (description: string, key: string) =>
      call('PATCH', `/endpoints/${id}`, { body: { description }, key }).then((answer) => answer.text())
    const first = await change('one', 'k1')
    await change('two', 'k2')
    expect(await change('one', 'k1')).toBe(first)
    await call('DELETE', `/endpoints/${id}`)
    expect(await change('one', 'k1')).toBe(first)
    expect(JSON.parse(first)).toMatchObject({ description: 'one', version: 2, headerNames: ['authorization'] })
  })

  it('of a creation and of a rotation shows the secret while it exists, and null afterwards', async () => {
    const { call } = await world()
    const create = async () =>
      (await call('POST', '/endpoints', { body: GOOD_BODIES['POST /endpoints'], key: 'k1' })).json() as Promise<{
        id: string
        secret: string | null
      }>
    const { id, secret } = await create()
    const rotate = async (key: string) =>
      (await call('POST', `/endpoints/${id}/rotate-secret`, { body: { overlapMs: 0 }, key })).json()
    const rotated = await rotate('k2')
    expect(rotated).toMatchObject({ version: 2, secret: expect.stringMatching(/^whsec_/) as string, expiresAt: null })
    expect(await rotate('k2')).toEqual(rotated)
    expect([secret === null, await create()]).toEqual([false, expect.objectContaining({ id, secret: null })])
    await call('DELETE', `/endpoints/${id}`)
    expect(await rotate('k2')).toEqual({ ...(rotated as object), secret: null })
  })

  it('is not found by findStoredResponse, which would send it in its stored form', async () => {
    const { call, engine, id } = await world()
    await call('POST', `/endpoints/${id}/disable`, { key: 'k1' })
    const request = { key: 'k1', workspaceId: 'w1', method: 'POST', route: `/endpoints/${id}/disable`, body: '' }
    expect(await engine.findStoredResponse(request)).toBeUndefined()
  })
})

describe('a request under a key that is refused', () => {
  it.each([
    ['a missing endpoint', 'PATCH', '/endpoints/ep_none', { description: 'x' }, 404],
    ['a URL that is refused', 'POST', '/endpoints', { url: 'http://10.0.0.1/' }, 422],
    ['a scheme that the endpoint does not have', 'POST', '/endpoints/{id}/rotate-secret', { scheme: 'v1a' }, 422],
  ] as const)('for %s stores nothing, and is handled again', async (_what, method, path, body, status) => {
    const { call, at, count } = await world()
    for (let n = 0; n < 2; n++) expect((await call(method, at(path), { body, key: 'k1' })).status).toBe(status)
    expect([await count('keepsend_idempotency_records'), await count('keepsend_idempotency_marks')]).toEqual([0, 0])
  })

  it('is 409 conflict for an unsettled delivery, and stores nothing', async () => {
    const { call, engine, rows, count, db } = await world()
    await engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
    await claimDueEvents(db, { limit: 1 })
    const id = (await rows()).find(({ status }) => status === 'pending')?.id ?? ''
    const answer = await call('POST', `/deliveries/${id}/replay`, { key: 'k1' })
    expect([answer.status, await answer.json()]).toEqual([409, expect.objectContaining({ code: 'conflict' })])
    expect(await count('keepsend_idempotency_records')).toBe(0)
  })

  it('is 400 for a malformed key, on every route', async () => {
    const { call, at } = await world()
    for (const { method, path } of MUTATING) {
      const body = GOOD_BODIES[`${method} ${path}`]
      expect((await call(method, at(path), { body, key: '"' })).status).toBe(400)
    }
  })

  it('is 413 for an endless body, even on a route that takes none', async () => {
    const { engine, id } = await world()
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1' })
    const body = new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(65_536)) })
    const answer = await engine.routes.request(
      new Request(`http://app/endpoints/${id}/disable`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'idempotency-key': 'k1' },
        body,
        duplex: 'half',
      } as RequestInit),
    )
    expect(answer.status).toBe(413)
  })
})

it('a read ignores an Idempotency-Key', async () => {
  const { call, id } = await world()
  const [one, other] = [await call('GET', `/endpoints/${id}`), await call('GET', `/endpoints/${id}`, { key: 'k1' })]
  expect([other.status, await other.json()]).toEqual([200, await one.json()])
})

it('the document lists Idempotency-Key for every route that changes something', async () => {
  const document = await documentOf(await rig())
  const mutating = routesOf(document).filter(changesSomething)
  expect(mutating.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
    MUTATING.map(({ method, path }) => `${method} ${path}`).sort(),
  )
  for (const { method, path } of mutating) {
    const names = operationOf(document, method, path).parameters?.map(({ name }) => name)
    expect(names, path).toContain('Idempotency-Key')
  }
})
