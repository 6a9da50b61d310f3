// Endpoints with ids of the host: created or changed by them, once, also by several engines on one database.
import { describe, expect, it } from 'vitest'
import type { EndpointInput, Engine } from '../src/index.ts'
import { openDatabase } from './database.ts'
import { readsOf, recordedRig } from './plans.ts'
import { rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

const url = 'https://hooks.example.com/'
const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'

/** Two engines on one database, which take turns. */
async function twoEngines(options: Parameters<typeof rig>[0] = {}) {
  const on = await openDatabase()
  const [one, other] = [await rig({ on, ...options }), await rig({ on, ...options })]
  return { engineOf: (n: number): Engine => (n % 2 === 0 ? one : other).engine, count: one.count }
}

describe('an upsert', () => {
  it('creates the endpoint with the uid, and then changes the properties that are given and no others', async () => {
    const { engine, select } = await rig()
    const made = await engine.endpoints.upsert('w1', 'crm-1', { url, description: 'first', metadata: { plan: 'pro' } })
    expect(made).toMatchObject({ isNew: true, secret: expect.stringMatching(/^whsec_/) })
    expect(made.endpoint).toMatchObject({ uid: 'crm-1', metadata: { plan: 'pro' }, version: 1 })
    const changed = await engine.endpoints.upsert('w1', 'crm-1', { url: `${url}2`, eventTypes: ['a.b'] })
    expect(changed).toEqual({
      isNew: false,
      endpoint: { ...made.endpoint, url: `${url}2`, eventTypes: ['a.b'], version: 2, updatedAt: expect.any(Number) },
    })
    expect(await engine.endpoints.getByUid('w1', 'crm-1')).toEqual(changed.endpoint)
    expect(await select('select pattern from keepsend_subscriptions')).toEqual([{ pattern: 'a.b' }])
  })

  it('of a version is made of that version alone, and creates nothing', async () => {
    const { engine, count } = await rig()
    const refused = { code: 'precondition_failed', status: 412 }
    await expect(engine.endpoints.upsert('w1', 'crm-1', { url }, { ifVersion: 1 })).rejects.toMatchObject(refused)
    expect(await count('keepsend_endpoints')).toBe(0)
    await engine.endpoints.upsert('w1', 'crm-1', { url })
    await engine.endpoints.upsert('w1', 'crm-1', { url }, { ifVersion: 1 })
    await expect(engine.endpoints.upsert('w1', 'crm-1', { url }, { ifVersion: 1 })).rejects.toMatchObject(refused)
    expect(await engine.endpoints.getByUid('w1', 'crm-1')).toMatchObject({ version: 2 })
  })

  it('makes one endpoint when two engines ask for it eight times, whose secret one call gets', async () => {
    const { engineOf, count } = await twoEngines()
    for (const uid of ['a', 'b', 'c']) {
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, n) =>
          engineOf(n).endpoints.upsert('w1', uid, { url, metadata: { by: String(n) } }),
        ),
      )
      expect(new Set(results.map((one) => one.endpoint.id)).size).toBe(1)
      expect(results.filter((one) => one.isNew)).toHaveLength(1)
      expect(results.filter((one) => one.secret !== undefined)).toHaveLength(1)
      expect(await engineOf(0).endpoints.getByUid('w1', uid)).toMatchObject({ version: 8 })
    }
    expect(await count('keepsend_endpoints')).toBe(3)
    expect(await count('keepsend_subscriptions')).toBe(3)
    expect(await count('keepsend_secrets')).toBe(3)
  })

  it('that creates respects the limit of endpoints when two engines race', async () => {
    const { engineOf, count } = await twoEngines({ limits: { endpointsPerWorkspace: 3 } })
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, n) => engineOf(n).endpoints.upsert('w1', `u${n}`, { url })),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    expect(results.filter(({ status }) => status === 'rejected')).toMatchObject(
      Array.from({ length: 5 }, () => ({ reason: { code: 'too_many_endpoints' } })),
    )
    expect(await count('keepsend_endpoints')).toBe(3)
  })

  it('goes on when its endpoint is deleted or created between its steps', async () => {
    let between: ((engine: Engine) => Promise<unknown>) | undefined
    const made = await rig({
      wrap: (db) => ({
        ...db,
        async run(statement) {
          const found = await db.run(statement)
          if ('sql' in statement && statement.sql.includes('and uid = ?')) {
            const act = between
            between = undefined
            await act?.(made.engine)
          }
          return found as never
        },
      }),
    })
    between = (engine) => engine.endpoints.create('w1', { url, uid: 'crm-1' })
    expect(await made.engine.endpoints.upsert('w1', 'crm-1', { url: `${url}2` })).toMatchObject({
      isNew: false,
      endpoint: { url: `${url}2`, version: 2 },
    })
    const { id } = await made.engine.endpoints.getByUid('w1', 'crm-1')
    between = (engine) => engine.endpoints.delete('w1', id)
    expect(await made.engine.endpoints.upsert('w1', 'crm-1', { url })).toMatchObject({ isNew: true })
    expect(await made.count('keepsend_endpoints')).toBe(1)
  })

  it('takes no uid and no secret beside the properties', async () => {
    const { engine } = await rig()
    for (const wrong of [{ uid: 'other' }, { secret: 'whsec_x' }]) {
      await expect(engine.endpoints.upsert('w1', 'crm-1', { url, ...wrong })).rejects.toMatchObject({
        code: 'invalid_option',
      })
    }
  })
})

describe('a uid', () => {
  it('belongs to one endpoint of a workspace: a second is a conflict that names it, and writes nothing', async () => {
    const { engine, addEndpoint, count } = await rig()
    const { id } = await addEndpoint({ uid: 'crm-1' })
    const other = await addEndpoint({ uid: 'crm-2' })
    const conflict = { code: 'conflict', status: 409, message: expect.stringContaining('"crm-1"') }
    await expect(addEndpoint({ uid: 'crm-1' })).rejects.toMatchObject(conflict)
    const change = { uid: 'crm-1', description: 'x', eventTypes: ['a'] }
    await expect(engine.endpoints.update('w1', other.id, change)).rejects.toMatchObject(conflict)
    expect(await engine.endpoints.get('w1', other.id)).toMatchObject({ uid: 'crm-2', description: '', version: 1 })
    expect([await count('keepsend_endpoints'), await count('keepsend_secrets')]).toEqual([2, 2])
    expect(await addEndpoint({ uid: 'crm-1', workspaceId: 'w2' })).toBeDefined()
    await engine.endpoints.update('w1', id, { uid: null })
    expect(await engine.endpoints.update('w1', other.id, { uid: 'crm-1' })).toMatchObject({ uid: 'crm-1' })
    expect(await engine.endpoints.get('w1', id)).toMatchObject({ uid: null })
    await engine.endpoints.delete('w1', other.id)
    expect(await addEndpoint({ uid: 'crm-1' })).toBeDefined()
  })

  it.each(['', '.', '..', '-a', 'a b', 'a/b', 'é', 'a\0', '😀', 'a\n', 'x'.repeat(256)])(
    'is refused at creation, at a change and at an upsert as %j',
    async (uid) => {
      const { engine, addEndpoint, count } = await rig()
      const { id } = await addEndpoint()
      const message = expect.stringMatching(/^uid must be 1 to 255 letters, digits.*; found "/)
      const refused = { code: 'invalid_endpoint', status: 422, message }
      for (const call of [
        () => engine.endpoints.create('w1', { url, uid }),
        () => engine.endpoints.update('w1', id, { uid }),
        () => engine.endpoints.upsert('w1', uid, { url }),
      ])
        await expect(call()).rejects.toMatchObject(refused)
      await expect(engine.endpoints.getByUid('w1', uid)).rejects.toMatchObject({ code: 'not_found' })
      expect(await count('keepsend_endpoints')).toBe(1)
    },
  )

  it.each(['a', '0', 'A.b_c:d-e', 'x'.repeat(255)])('may be %s', async (uid) => {
    const { engine } = await rig()
    const { endpoint } = await engine.endpoints.upsert('w1', uid, { url })
    expect(await engine.endpoints.getByUid('w1', uid)).toEqual(endpoint)
  })

  it('is found by its index, beside 3,000 endpoints of the workspace', async () => {
    const made = await recordedRig()
    const numbers = onPostgres
      ? `generate_series(1, 3000) as numbers (n)`
      : `(with recursive n (value) as (select 1 union all select value + 1 from n where value < 3000) select value as n from n) as numbers`
    await made.exec(`insert into keepsend_endpoints (id, workspace_id, url, event_types, channels, created_at, updated_at, uid)
      select 'ep_' || n, 'w1', 'https://hooks.example.com/', '["*"]', '[]', 1, 1, 'u' || n from ${numbers}`)
    made.statements()
    expect(await made.engine.endpoints.getByUid('w1', 'u1234')).toMatchObject({ id: 'ep_1234' })
    const [statement] = made.statements()
    const of = { postgres: /^keepsend_endpoints/, sqlite: /^(SCAN|SEARCH) endpoint\b/ }
    const reads = statement ? await readsOf(made.db, statement, of) : []
    expect(reads).toMatchObject([{ by: expect.stringContaining('keepsend_endpoints_uid') }])
    expect(reads[0]?.rows).toBeLessThanOrEqual(1)
  })
})

describe('metadata', () => {
  const wrong: [string, unknown, RegExp][] = [
    [
      'more than 20 texts',
      Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, ''])),
      /at most 20 texts; found 21/,
    ],
    ['a long key', { ['k'.repeat(41)]: '' }, /keys of 1 to 40/],
    ['an empty key', { '': '' }, /keys of 1 to 40/],
    ['a key with a space', { 'a b': '' }, /keys of 1 to 40/],
    ['a long text', { a: '😀'.repeat(501) }, /at most 500 characters; found 501 under "a"/],
    ['a NUL', { a: 'x\0' }, /without a NUL/],
    ['half a character', { a: '\ud800' }, /well-formed/],
    ['a number', { a: 1 }, /hold texts; found number under "a"/],
    ['an object', { a: {} }, /hold texts; found object under "a"/],
  ]

  it.each(wrong)('with %s is refused, and nothing is written', async (_, metadata, message) => {
    const { engine, count } = await rig()
    const input = { url, metadata } as EndpointInput
    await expect(engine.endpoints.create('w1', input)).rejects.toMatchObject({
      code: 'invalid_endpoint',
      message: expect.stringMatching(message),
    })
    expect(await count('keepsend_endpoints')).toBe(0)
  })

  it('is shown, replaced as a whole by a change, and in no request to the receiver', async () => {
    const { engine, addEndpoint, work, sender } = await rig()
    const most = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`constructor${n}`, '😀'.repeat(500)]))
    const { id } = await addEndpoint({ uid: 'crm-secretish', metadata: most })
    expect(await engine.endpoints.get('w1', id)).toMatchObject({ metadata: most })
    expect((await engine.endpoints.list('w1', { limit: 1 }))[0]?.metadata).toEqual(most)
    await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await work()
    expect(JSON.stringify(sender.requests)).not.toMatch(/crm-secretish|constructor1|😀/)
    expect(await engine.endpoints.update('w1', id, { metadata: { one: 'x' } })).toMatchObject({
      metadata: { one: 'x' },
    })
    expect(await engine.endpoints.update('w1', id, { description: 'd' })).toMatchObject({ metadata: { one: 'x' } })
    expect((await engine.endpoints.update('w1', id, { metadata: {} })).metadata).toEqual({})
  })

  it('that was damaged by hand is shown as empty and named, and can be set again', async () => {
    const { engine, addEndpoint, exec } = await rig()
    const { id } = await addEndpoint({ metadata: { a: 'b' } })
    for (const broken of ['{', '[]', '{"a":1}', 'null']) {
      await exec('update keepsend_endpoints set metadata = ?', broken)
      expect(await engine.endpoints.get('w1', id)).toMatchObject({ metadata: {}, unreadable: ['metadata'] })
    }
    expect(await engine.endpoints.update('w1', id, { metadata: { a: 'c' } })).not.toHaveProperty('unreadable')
  })
})

describe('PUT /endpoints-by-uid/{uid}', () => {
  const put = async (uid = 'crm-1', headers: Record<string, string> = {}, on?: Awaited<ReturnType<typeof api>>) => {
    const made = on ?? (await api())
    const send = (more: Record<string, string> = {}, body: object = { url }) =>
      made.engine.routes.request(`/endpoints-by-uid/${uid}`, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${made.keys.w1}`,
          'content-type': 'application/json',
          ...headers,
          ...more,
        },
        body: JSON.stringify(body),
      })
    return { ...made, send }
  }

  it('is 201 with the secret and the place of the endpoint, then 200 without', async () => {
    const { send, call } = await put('a:b.c')
    const first = await send()
    const { status, body } = await read(first)
    expect([status, first.headers.get('etag')]).toEqual([201, '"1"'])
    expect(body).toMatchObject({ uid: 'a:b.c', secret: expect.stringMatching(/^whsec_/) })
    const place = new URL(first.headers.get('location') ?? '', 'http://app/endpoints-by-uid/a:b.c').pathname
    expect(await read(call('GET', place))).toMatchObject({ status: 200, body: { uid: 'a:b.c' } })
    const second = await read(send())
    expect(second).toMatchObject({ status: 200, body: { id: body['id'], version: 2 } })
    expect(second.body).not.toHaveProperty('secret')
    expect(await read(call('GET', '/endpoints-by-uid/a%3Ab.c'))).toEqual(second)
  })

  it('repeated under its Idempotency-Key gets its first answer, the secret included, which no record holds', async () => {
    const { send, select } = await put('crm-1', { 'idempotency-key': 'k1' })
    const [first, second] = [await send(), await send()]
    expect([first.status, second.status, second.headers.get('idempotency-replayed')]).toEqual([201, 201, 'true'])
    const text = await first.text()
    expect(await second.text()).toBe(text)
    expect(JSON.stringify(await select('select body from keepsend_idempotency_records'))).not.toContain('whsec_')
    const third = await send({ 'idempotency-key': 'k2' })
    const fourth = await send({ 'idempotency-key': 'k2' })
    expect([third.status, fourth.status]).toEqual([200, 200])
    expect(await fourth.text()).toBe(await third.text())
  })

  it('with If-Match changes that version, and creates nothing, also with *', async () => {
    const { send, count } = await put()
    for (const condition of ['"1"', '*']) {
      expect(await read(send({ 'if-match': condition }))).toMatchObject(problem(412, 'precondition_failed'))
    }
    expect(await count('keepsend_endpoints')).toBe(0)
    await send()
    expect((await send({ 'if-match': '"1"' })).status).toBe(200)
    expect(await read(send({ 'if-match': '"1"' }))).toMatchObject(problem(412, 'precondition_failed'))
    expect((await send({ 'if-match': '*' })).status).toBe(200)
  })

  it('reads an endpoint whose uid is the name of a route', async () => {
    const made = await api()
    for (const uid of ['secret', 'public-key', 'test', 'by-uid']) {
      expect((await (await put(uid, {}, made)).send()).status, uid).toBe(201)
      expect(await read(made.call('GET', `/endpoints-by-uid/${uid}`)), uid).toMatchObject({ body: { uid } })
    }
  })

  it('refuses a uid and a secret in the body, and a malformed uid', async () => {
    const { send } = await put()
    for (const wrong of [{ uid: 'x' }, { secret: 'whsec_x' }, {}]) {
      expect(await read(send({}, wrong))).toMatchObject(problem(400, 'invalid_request'))
    }
    for (const uid of ['a%20b', '-a', '%F0%9F%98%80', 'x'.repeat(256)]) {
      expect(await read((await put(uid)).send()), uid).toMatchObject(problem(422, 'invalid_endpoint'))
    }
  })
})
