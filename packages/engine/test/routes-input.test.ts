import { OutboxError } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { GOOD_BODIES, api, documentOf, problem, read, withBody } from './routes.ts'

describe('input', () => {
  it('with an unknown field, with invalid JSON or without a body is 400 on every route with a body', async () => {
    const { call, addEndpoint, engine, count } = await api()
    const { id } = await addEndpoint()
    const routes = withBody(await documentOf({ engine }))
    expect(routes.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(GOOD_BODIES).sort())
    for (const { method, path } of routes) {
      const to = path.replace(/\{u?id\}/, id)
      const good = GOOD_BODIES[`${method} ${path}`] as Record<string, unknown>
      for (const bad of [{ ...good, surprise: 1 }, 'null', '"text"', '[]']) {
        const response = await call(method, to, bad)
        expect(response.headers.get('content-type'), `${method} ${path} ${JSON.stringify(bad)}`).toBe(
          'application/problem+json',
        )
        expect(await read(response)).toMatchObject(problem(400, 'invalid_request'))
      }
      for (const [bad, detail] of [
        ['{"type":', 'the body is not valid JSON'],
        ['', 'the body is empty: send JSON, at least {}'],
        [' \n', 'the body is empty: send JSON, at least {}'],
      ] as const) {
        expect((await read(call(method, to, bad))).body, `${method} ${path}`).toMatchObject({ status: 400, detail })
      }
    }
    expect([await count('pending_events'), await count('keepsend_endpoints')]).toEqual([0, 1])
    expect(await engine.endpoints.get('w1', id)).toMatchObject({ version: 1 })
  })

  it('without a JSON content-type is 415, never treated as an empty body', async () => {
    const { engine, keys, addEndpoint } = await api()
    const { id } = await addEndpoint()
    for (const [method, path] of [
      ['PATCH', `/endpoints/${id}`],
      ['POST', `/endpoints/${id}/rotate-secret`],
      ['POST', '/events'],
    ] as const) {
      const headers = { authorization: `Bearer ${keys.w1}`, 'content-type': 'text/plain' }
      const response = await engine.routes.request(path, { method, headers, body: '{"description":"x"}' })
      expect(await read(response), path).toMatchObject(problem(415, 'unsupported_media_type'))
    }
    expect([await engine.endpoints.get('w1', id), (await engine.endpoints.secrets('w1', id)).length]).toMatchObject([
      { version: 1 },
      1,
    ])
  })

  it('with a key named __proto__, at any depth and in any spelling, is 400 by that name', async () => {
    const { call, count } = await api()
    for (const body of [
      '{"url":"https://hooks.example.com/","__proto__":{"secret":"x"}}',
      '{"url":"https://hooks.example.com/","headers":{"__proto__":"x"}}',
      '{"url":"https://hooks.example.com/","\\u005f_prot\\u006f__":1}',
      '[{"__proto__":1}]',
    ]) {
      const { status, body: answer } = await read(call('POST', '/endpoints', body))
      expect([status, answer['detail']], body).toEqual([400, expect.stringContaining('__proto__')])
    }
    for (const data of ['{"__proto__":{"isAdmin":true}}', '{"a":[{"b":{"__proto__":null}}]}']) {
      const { status, body: answer } = await read(call('POST', '/events', `{"type":"a","data":${data}}`))
      expect([status, answer['detail']], data).toEqual([400, expect.stringContaining('__proto__')])
    }
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
    expect([await count('keepsend_endpoints'), await count('pending_events')]).toEqual([0, 0])
  })

  it('with a key named constructor or prototype is data like any other, stored unchanged', async () => {
    const { call, addEndpoint, rows } = await api()
    await addEndpoint()
    const data = { constructor: { prototype: { isAdmin: true } }, prototype: 1, toString: '', hasOwnProperty: null }
    expect((await call('POST', '/events', { type: 'a', data })).status).toBe(202)
    expect((await rows())[0]?.payload).toContain(`"data":${JSON.stringify(data)}`)
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
  })

  it('nested without bound is refused on every route with a body, without a stack overflow', async () => {
    const { call, addEndpoint, count, ...made } = await api()
    const { id } = await addEndpoint()
    const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
    for (const { method, path } of withBody(await documentOf(made))) {
      for (const body of [`{"data":${deep(100_000)}}`, deep(100_000), deep(68)]) {
        expect(await read(call(method, path.replace(/\{u?id\}/, id), body)), path).toMatchObject(
          problem(400, 'invalid_request'),
        )
      }
    }
    const event = (levels: number) => `[{"type":"a","data":{"a":${deep(levels - 1)}}}]`
    expect(await read(call('POST', '/events', event(64)))).toMatchObject({ status: 202 })
    expect(await read(call('POST', '/events', event(65)))).toMatchObject(problem(422, 'invalid_event'))
    expect(await read(call('POST', '/events', event(66)))).toMatchObject(problem(400, 'invalid_request'))
    expect(await read(call('POST', '/events', event(65).slice(1, -1)))).toMatchObject(problem(422, 'invalid_event'))
    expect([await count('pending_events'), await count('keepsend_endpoints')]).toEqual([1, 1])
  })

  it('in the query that a list does not know is 400, so that a misspelt filter hides nothing', async () => {
    const { call } = await api()
    for (const path of ['/events', '/endpoints', '/deliveries']) {
      for (const query of ['limt=5', 'endpointID=x', 'workspace=w2', '__proto__=x']) {
        expect(await read(call('GET', `${path}?${query}`)), `${path}?${query}`).toMatchObject(
          problem(400, 'invalid_request'),
        )
      }
    }
  })

  it("for a missing route is 404, mounted or not, and the host's own 404 stays", async () => {
    const { call, engine, keys } = await api()
    expect(await read(call('GET', '/nope'))).toMatchObject(problem(404, 'not_found'))
    const app = new Hono()
    app.route('/webhooks', engine.routes)
    app.notFound((c) => c.text('the host', 404))
    const headers = { authorization: `Bearer ${keys.w1}` }
    expect(await read(app.request('/webhooks/nope', { headers }))).toMatchObject(problem(404, 'not_found'))
    expect(await (await app.request('/elsewhere')).text()).toBe('the host')
  })
})

describe('a failing database', () => {
  it('gives 503 with Retry-After on every route that writes, and an unhealthy health check', async () => {
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
    // Its result is cached for a second.
    await expect
      .poll(() => read(call('GET', '/health', undefined, null)), { timeout: 10_000 })
      .toEqual({
        status: 200,
        body: { status: 'ok', oldestDueMs: 0, queueErrors: 0, degraded: 0, notAccepted: 0 },
      })
  })
})
