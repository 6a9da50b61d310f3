import { OutboxError } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { GOOD_BODIES, api, documentOf, problem, read, routesOf } from './routes.ts'

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
    expect([await count('pending_events'), await count('keepsend_endpoints')]).toEqual([0, 1])
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
