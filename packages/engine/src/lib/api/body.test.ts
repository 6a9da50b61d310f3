import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { GOOD_BODIES, api, documentOf, problem, read, withBody } from '../../../test/routes.ts'

describe('a body', () => {
  it('is read from a request behind a Proxy, as in Next.js', async () => {
    const { engine, keys } = await api()
    const headers = { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json' }
    const request = new Request('http://keepsend/events', {
      method: 'POST',
      headers,
      body: JSON.stringify({ type: 'message.created', data: { text: 'hello' } }),
    })
    const proxy = new Proxy(request, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    expect((await engine.routes.fetch(proxy)).status).toBe(202)
  })

  it('is 400 if it is not UTF-8, and no character is replaced', async () => {
    const { engine, keys, count } = await api()
    const body = new Uint8Array([...new TextEncoder().encode('{"type":"a","data":{"a":"'), 0xff, 0x22, 0x7d, 0x7d])
    const headers = { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json' }
    expect(await read(engine.routes.request('/events', { method: 'POST', headers, body }))).toMatchObject(
      problem(400, 'invalid_request'),
    )
    expect(await count('pending_events')).toBe(0)
  })

  it('is limited in bytes, exactly: 1 MiB of events, 256 KiB on other routes', async () => {
    const { call, addEndpoint, ...made } = await api()
    const { id } = await addEndpoint()
    for (const { method, path } of withBody(await documentOf(made))) {
      const to = path.replace(/\{u?id\}/, id)
      const limit = path === '/events' ? 1_048_576 : 262_144
      // Characters of three bytes in UTF-8 and one code unit in a string; white space belongs to no value.
      const good = JSON.stringify({ ...(GOOD_BODIES[`${method} ${path}`] as object), surprise: '€'.repeat(1000) })
      const padded = (bytes: number) => good + ' '.repeat(bytes - new TextEncoder().encode(good).length)
      expect(await read(call(method, to, padded(limit))), path).toMatchObject(problem(400, 'invalid_request'))
      expect(await read(call(method, to, padded(limit + 1))), path).toMatchObject(problem(413, 'payload_too_large'))
    }
  })

  it('is read up to its limit and then cancelled if it is endless, whatever its content-length', async () => {
    const { engine, keys } = await api()
    for (const [said, most] of [
      [undefined, 1_048_576],
      ['10', 1_048_576],
      ['1048577', 0],
    ] as const) {
      let given = 0
      let hungUp = false
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            given += 65_536
            controller.enqueue(new Uint8Array(65_536).fill(0x20))
          },
          cancel() {
            hungUp = true
            // As a client does that never ends its body.
            return new Promise(() => {})
          },
        },
        { highWaterMark: 0 },
      )
      const headers = {
        authorization: `Bearer ${keys.w1}`,
        'content-type': 'application/json',
        ...(said !== undefined && { 'content-length': said }),
      }
      const request = new Request('http://keepsend/events', {
        method: 'POST',
        headers,
        body,
        duplex: 'half',
      } as RequestInit)
      expect(await read(engine.routes.request(request)), said).toMatchObject(problem(413, 'payload_too_large'))
      expect([given <= most + 65_536, hungUp], said).toEqual([true, most > 0])
    }
  })

  it('is not read if the key is wrong or lacks the scope, nor on a route that takes none', async () => {
    const { engine, addEndpoint, keys } = await api()
    const { id } = await addEndpoint()
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1', scopes: ['events:read'] })
    for (const [path, credential, status] of [
      ['/events', 'ks_wrong', 401],
      ['/events', key, 403],
      [`/endpoints/${id}/disable`, keys.w1, 200],
    ] as const) {
      let given = 0
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            given++
            controller.enqueue(new Uint8Array(1))
          },
        },
        { highWaterMark: 0 },
      )
      const headers = { authorization: `Bearer ${credential}`, 'content-type': 'application/json' }
      const request = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
      expect([(await engine.routes.request(path, request)).status, given], path).toEqual([status, 0])
    }
  })

  it('is found and limited even if the host has read it before', async () => {
    const { engine, keys } = await api()
    const app = new Hono()
    app.use(async (c, next) => {
      await c.req.text()
      await next()
    })
    app.route('/webhooks', engine.routes)
    const post = (body: string) =>
      app.request('/webhooks/events', {
        method: 'POST',
        headers: { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json' },
        body,
      })
    expect((await post('{"type":"a","data":{}}')).status).toBe(202)
    expect(await read(post(`{"type":"a","data":{"a":"${'x'.repeat(1_048_576)}"}}`))).toMatchObject(
      problem(413, 'payload_too_large'),
    )
  })
})
