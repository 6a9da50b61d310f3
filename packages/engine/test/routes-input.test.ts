import { OutboxError } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { GOOD_BODIES, api, documentOf, read, routesOf } from './routes.ts'

const problem = (status: number, code: string) => ({
  status,
  body: expect.objectContaining({ type: 'about:blank', status, code }),
})

describe('input', () => {
  it('with a field that nobody knows, or that is no JSON, or none at all, is 400 on every route with a body', async () => {
    const { call, addEndpoint, engine, count, ...made } = await api()
    const { id } = await addEndpoint()
    const withBody = routesOf(await documentOf({ ...made, call, addEndpoint, engine, count } as never)).filter(
      ({ takesBody }) => takesBody,
    )
    expect(withBody.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(GOOD_BODIES).sort())
    for (const { method, path } of withBody) {
      const to = path.replace('{id}', id)
      const good = GOOD_BODIES[`${method} ${path}`] as Record<string, unknown>
      for (const bad of [{ ...good, surprise: 1 }, '{"type":', 'null', '"text"', '[]', '']) {
        const response = await call(method, to, bad)
        expect(response.headers.get('content-type'), `${method} ${path} ${JSON.stringify(bad)}`).toBe(
          'application/problem+json',
        )
        expect(await read(response)).toMatchObject(problem(400, 'invalid_request'))
      }
    }
    expect([count('pending_events'), count('keepsend_endpoints')]).toEqual([0, 1])
    expect(await engine.endpoints.get('w1', id)).toMatchObject({ version: 1 })
  })

  it('that is not said to be JSON is 400, never taken for an empty body', async () => {
    const { engine, keys, addEndpoint } = await api()
    const { id } = await addEndpoint()
    for (const [method, path] of [
      ['PATCH', `/endpoints/${id}`],
      ['POST', `/endpoints/${id}/rotate-secret`],
      ['POST', '/events'],
    ] as const) {
      const headers = { authorization: `Bearer ${keys.w1}`, 'content-type': 'text/plain' }
      const response = await engine.routes.request(path, { method, headers, body: '{"description":"x"}' })
      expect(await read(response), path).toMatchObject(problem(400, 'invalid_request'))
    }
    expect([await engine.endpoints.get('w1', id), (await engine.endpoints.secrets('w1', id)).length]).toMatchObject([
      { version: 1 },
      1,
    ])
  })

  it('over 1 MiB is 413, with a length or without', async () => {
    const { call, engine, keys } = await api()
    const big = JSON.stringify({ type: 'a', data: { text: 'x'.repeat(1_048_576) } })
    expect(await read(call('POST', '/events', big))).toMatchObject(problem(413, 'payload_too_large'))
    const stream = new Blob([big]).stream()
    const headers = { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json' }
    const streamed = engine.routes.request('/events', {
      method: 'POST',
      headers,
      body: stream,
      duplex: 'half',
    } as RequestInit)
    expect(await read(streamed)).toMatchObject(problem(413, 'payload_too_large'))
  })

  it('for a route that does not exist is 404, mounted or not, and the host keeps its own', async () => {
    const { call, engine, keys } = await api()
    expect(await read(call('GET', '/nope'))).toMatchObject(problem(404, 'not_found'))
    expect(await read(call('PUT', '/endpoints', {}))).toMatchObject(problem(404, 'not_found'))
    const app = new Hono()
    app.route('/webhooks', engine.routes)
    app.notFound((c) => c.text('the host', 404))
    const headers = { authorization: `Bearer ${keys.w1}` }
    expect(await read(app.request('/webhooks/nope', { headers }))).toMatchObject(problem(404, 'not_found'))
    expect(await (await app.request('/elsewhere')).text()).toBe('the host')
  })
})

describe('events', () => {
  it('are kept one or many, and answered with their ids', async () => {
    const { call, addEndpoint, rows } = await api()
    await addEndpoint()
    const one = await read(call('POST', '/events', { type: 'a', data: { n: 1 } }))
    expect(one).toEqual({ status: 202, body: { id: expect.stringMatching(/^evt_/), type: 'a' } })
    const many = await read(
      call('POST', '/events', [
        { type: 'b', data: {}, timestamp: '2026-11-23T12:00:00Z' },
        { type: 'c', data: {} },
      ]),
    )
    expect(many).toMatchObject({ status: 202, body: [{ type: 'b' }, { type: 'c' }] })
    expect(
      rows()
        .map(({ type }) => type)
        .toSorted((a, b) => (a < b ? -1 : 1)),
    ).toEqual(['a', 'b', 'c'])
  })

  it('are 1 to 100 at once, all or none', async () => {
    const { call, addEndpoint, count } = await api()
    await addEndpoint()
    const events = (length: number) => Array.from({ length }, () => ({ type: 'a', data: {} }))
    expect(await read(call('POST', '/events', []))).toMatchObject(problem(400, 'invalid_request'))
    expect(await read(call('POST', '/events', events(101)))).toMatchObject(problem(400, 'invalid_request'))
    expect(await read(call('POST', '/events', [...events(9), { type: 'no good', data: {} }]))).toMatchObject(
      problem(422, 'invalid_event'),
    )
    expect(count('pending_events')).toBe(0)
    expect((await call('POST', '/events', events(100))).status).toBe(202)
    expect(count('pending_events')).toBe(100)
  })

  it.each([
    [{ type: 'keepsend.x', data: {} }, 422, 'invalid_event'],
    [{ type: 'a', data: {}, id: 'evt_1' }, 422, 'invalid_event'],
    [{ type: 'a', data: {}, channels: ['*'] }, 422, 'invalid_event'],
    [{ type: 'a', data: { text: 'x'.repeat(262_144) } }, 413, 'payload_too_large'],
    [{ type: 'a', data: [] }, 400, 'invalid_request'],
    [{ type: 'a' }, 400, 'invalid_request'],
    [{ data: {} }, 400, 'invalid_request'],
    [{ type: 1, data: {} }, 400, 'invalid_request'],
    [{ type: 'a', data: {}, timestamp: 'today' }, 400, 'invalid_request'],
    [{ type: 'a', data: {}, workspaceId: 'w2' }, 400, 'invalid_request'],
  ])('%j is %i %s', async (event, status, code) => {
    const { call, addEndpoint, count } = await api()
    await addEndpoint()
    expect(await read(call('POST', '/events', event))).toMatchObject(problem(status, code))
    expect(count('pending_events')).toBe(0)
  })

  it('can be got while a delivery of theirs is kept, with the payload as it is sent', async () => {
    const { call, addEndpoint, work } = await api()
    const endpoint = await addEndpoint()
    const { body } = await read(
      call('POST', '/events', { type: 'a', data: { n: 1 }, timestamp: '2026-11-23T12:00:00Z' }),
    )
    expect(await read(call('GET', `/events/${String(body['id'])}`))).toMatchObject({
      status: 200,
      body: {
        id: body['id'],
        type: 'a',
        payload: { type: 'a', timestamp: '2026-11-23T12:00:00Z', data: { n: 1 } },
        deliveries: [{ endpointId: endpoint.id, status: 'pending' }],
      },
    })
    await work()
    expect(await read(call('GET', `/events/${String(body['id'])}`))).toMatchObject(problem(404, 'not_retained'))
  })
})

describe('endpoints', () => {
  it('are made, read, changed, disabled, enabled and deleted', async () => {
    const { call } = await api()
    const made = await read(
      call('POST', '/endpoints', {
        url: 'https://hooks.example.com/',
        eventTypes: ['a.*'],
        channels: ['c'],
        retrySchedule: [1],
        deadlineMs: 5000,
      }),
    )
    expect(made).toMatchObject({
      status: 201,
      body: { secret: expect.stringMatching(/^whsec_/), status: 'enabled', version: 1 },
    })
    const path = `/endpoints/${String(made.body['id'])}`
    const { secret: _, ...shown } = made.body
    expect(await read(call('GET', path))).toEqual({ status: 200, body: shown })
    const changed = { ...shown, description: 'mine', version: 2, updatedAt: expect.any(String) }
    expect(await read(call('PATCH', path, { description: 'mine' }))).toEqual({ status: 200, body: changed })
    const { body: reset } = await read(call('PATCH', path, { retrySchedule: null, deadlineMs: null, channels: [] }))
    expect(reset).toMatchObject({
      retrySchedule: null,
      deadlineMs: null,
      channels: [],
      eventTypes: ['a.*'],
      description: 'mine',
    })
    expect((await read(call('POST', `${path}/disable`))).body).toMatchObject({
      status: 'disabled',
      disabledReason: 'manual',
    })
    expect((await read(call('POST', `${path}/enable`))).body).toMatchObject({ status: 'enabled', disabledReason: null })
    expect((await call('DELETE', path)).status).toBe(204)
    expect(await read(call('GET', path))).toMatchObject(problem(404, 'not_found'))
  })

  it.each([
    [{ url: 'http://example.com/' }],
    [{ url: 'https://10.0.0.1/' }],
    [{ url: 'nothing' }],
    [{ eventTypes: [] }],
    [{ eventTypes: ['*.a'] }],
    [{ eventTypes: Array(51).fill('a') }],
    [{ channels: Array(11).fill('a') }],
    [{ channels: ['a b'] }],
    [{ retrySchedule: [0] }],
    [{ retrySchedule: Array(21).fill(1) }],
    [{ retrySchedule: [86_401] }],
    [{ deadlineMs: 999 }],
    [{ deadlineMs: 30_001 }],
    [{ description: 'x'.repeat(501) }],
  ])('%j is 422 at creation and at a change', async (parts) => {
    const { call, addEndpoint, count } = await api()
    const { id } = await addEndpoint()
    expect(await read(call('POST', '/endpoints', { url: 'https://hooks.example.com/', ...parts }))).toMatchObject(
      problem(422, 'invalid_endpoint'),
    )
    expect(await read(call('PATCH', `/endpoints/${id}`, parts))).toMatchObject(problem(422, 'invalid_endpoint'))
    expect(count('keepsend_endpoints')).toBe(1)
  })

  it('bring a secret from elsewhere at creation only, and a wrong one is not repeated', async () => {
    const { call, addEndpoint } = await api()
    const secret = `whsec_${btoa('x'.repeat(24))}`
    expect((await read(call('POST', '/endpoints', { url: 'https://a.example.com/', secret }))).body).toMatchObject({
      secret,
    })
    const wrong = await read(call('POST', '/endpoints', { url: 'https://a.example.com/', secret: 'hunter2' }))
    expect(wrong).toMatchObject(problem(422, 'invalid_endpoint'))
    expect(JSON.stringify(wrong)).not.toContain('hunter2')
    const { id } = await addEndpoint()
    expect((await call('PATCH', `/endpoints/${id}`, { secret })).status).toBe(400)
  })

  it('show their secrets only where they are asked for, newest first; rotation keeps the old one for a while', async () => {
    const { call, addEndpoint } = await api()
    const { id, secret: old } = await addEndpoint()
    for (const path of ['/endpoints', `/endpoints/${id}`])
      expect(await (await call('GET', path)).text()).not.toContain('whsec_')
    const { body: fresh } = await read(call('POST', `/endpoints/${id}/rotate-secret`, { overlapMs: 60_000 }))
    expect(fresh).toMatchObject({ version: 2, expiresAt: null })
    const { body } = await read(call('GET', `/endpoints/${id}/secret`))
    expect(body['data']).toMatchObject([
      { secret: fresh['secret'], expiresAt: null },
      { secret: old, expiresAt: expect.any(String) },
    ])
    await call('POST', `/endpoints/${id}/rotate-secret`, { overlapMs: 0 })
    expect((await read(call('GET', `/endpoints/${id}/secret`))).body['data']).toHaveLength(2)
    for (const overlapMs of [-1, 604_800_001]) {
      expect(await read(call('POST', `/endpoints/${id}/rotate-secret`, { overlapMs }))).toMatchObject(
        problem(422, 'invalid_endpoint'),
      )
    }
  })

  it('get a test event, subscribed or not, tried as often as they ask', async () => {
    const { call, addEndpoint, rows } = await api()
    const { id } = await addEndpoint({ eventTypes: ['other'], retrySchedule: [1, 2] })
    const { status, body } = await read(call('POST', `/endpoints/${id}/test`))
    expect([status, rows()]).toMatchObject([
      202,
      [{ id: `${String(body['eventId'])}.${id}`, type: 'test', maxAttempts: 3 }],
    ])
  })
})

describe('deliveries', () => {
  it('are replayed once they are settled: 409 before, 202 and pending after', async () => {
    const { call, addEndpoint, engine, work, messages } = await api({ answer: () => 400 })
    await addEndpoint()
    const { eventId } = await engine.send({ type: 'a', workspaceId: 'w1', data: {} })
    const { body } = await read(call('GET', `/events/${eventId}`))
    const [{ id }] = body['deliveries'] as [{ id: string }]
    expect(await read(call('POST', `/deliveries/${id}/replay`))).toMatchObject(problem(409, 'conflict'))
    await work()
    expect(await read(call('GET', `/deliveries/${id}`))).toMatchObject({ body: { status: 'failed', lastStatus: 400 } })
    messages.length = 0
    expect(await read(call('POST', `/deliveries/${id}/replay`))).toMatchObject({
      status: 202,
      body: { id, status: 'pending', attempts: 0 },
    })
    expect(messages).toMatchObject([{ outboxId: id, gen: 2 }])
  })
})

describe('a database that refuses', () => {
  it('is 503 with Retry-After on every route that writes, and health says so', async () => {
    let broken = false
    const refuse = () => Promise.reject(new OutboxError('not_accepted', 'disk full'))
    const { call, addEndpoint } = await api({
      wrap: (db) => ({
        ...db,
        run: (one) => (broken ? refuse() : db.run(one)),
        atomic: (list) => (broken && list.length > 0 ? refuse() : db.atomic(list)),
      }),
      authenticate: async () => ({
        workspaceId: 'w1',
        scopes: ['endpoints:write', 'events:write', 'deliveries:write'],
      }),
    })
    const { id } = await addEndpoint()
    broken = true
    for (const [path, body] of [
      ['/endpoints', { url: 'https://a.example.com/' }],
      ['/events', { type: 'a', data: {} }],
      [`/endpoints/${id}/test`, undefined],
      ['/deliveries/x/replay', undefined],
    ] as const) {
      const response = await call('POST', path, body)
      expect(response.headers.get('retry-after'), path).toBe('1')
      expect(await read(response), path).toMatchObject(problem(503, 'not_accepted'))
    }
    expect(await read(call('GET', '/health', undefined, null))).toEqual({
      status: 503,
      body: { status: 'unavailable' },
    })
    broken = false
    expect(await read(call('GET', '/health', undefined, null))).toEqual({
      status: 200,
      body: { status: 'ok', oldestDueMs: 0, queueErrors: 0, degraded: 0, notAccepted: 0 },
    })
  })
})
