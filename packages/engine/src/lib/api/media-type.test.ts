import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { describe, expect, it } from 'vitest'
import { problemResponse } from '../../index.ts'
import { GOOD_BODIES, GOOD_QUERIES, api, documentOf, problem, read, routesOf, withBody } from '../../../test/routes.ts'

const JSON_IN_UTF_8 = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json ; charset=utf-8',
  'application/json;charset="UTF-8"',
  'application/json;',
  'application/json; charset=utf8; profile="a,b;c"',
  'APPLICATION/JSON; CHARSET=UTF-8',
  'application/cloudevents+json',
  'application/vnd.api+json; charset=utf-8',
  'application/json, application/json',
  'application/json; charset=utf-8, application/json',
]

const ANYTHING_ELSE = [
  '',
  ';',
  'json',
  'application/jsonl',
  'application/jsonx',
  'application/x-ndjson',
  'application/json-seq',
  'application/+json',
  'application/json utf-8',
  'application/json/',
  'text/json',
  'text/plain',
  'multipart/form-data; boundary=application/json',
  'application/x-www-form-urlencoded',
  'application/json, text/plain',
  'text/plain, application/json',
  'text/plain; a="application/json',
  'application/json; charset=utf-16',
  'application/json; charset=iso-8859-1',
  'application/json; charset=utf-8, application/json; charset=latin1',
  'application/json; a=b; charset=us-ascii',
]

describe('a body', () => {
  /** Sends a valid request to every route with a body, with this `content-type`; returns the answers. */
  async function answersTo(type: string): Promise<Record<string, unknown>[]> {
    const { engine, keys, addEndpoint, work } = await api({ history: true, retrySchedule: [], answer: () => 400 })
    const endpoint = await addEndpoint()
    await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await work()
    const answers = []
    for (const { method, path } of withBody(await documentOf({ engine }))) {
      const ids: Record<string, string> = {
        problems: `prb_${endpoint.id}.http_4xx.400`,
        'api-keys': (await engine.apiKeys.create({ workspaceId: 'w1' })).id,
      }
      const id = ids[path.split('/')[1] ?? ''] ?? (await addEndpoint()).id
      const headers = { authorization: `Bearer ${keys.w1}`, 'content-type': type }
      const body = JSON.stringify(GOOD_BODIES[`${method} ${path}`])
      answers.push(await read(engine.routes.request(path.replace(/\{u?id\}/, id), { method, headers, body })))
    }
    return answers
  }

  it.each(JSON_IN_UTF_8)('with `content-type: %s` is JSON for every route that takes one', async (type) => {
    const answers = await answersTo(type)
    expect(answers.map(({ status }) => status).filter((status) => Number(status) >= 300)).toEqual([])
    expect(answers).toHaveLength(Object.keys(GOOD_BODIES).length)
  })

  it.each(ANYTHING_ELSE)('with `content-type: %s` is refused by every route that takes one', async (type) => {
    for (const answer of await answersTo(type)) expect(answer).toMatchObject(problem(415, 'unsupported_media_type'))
  })

  it('of another charset is refused with a message that names the right one', async () => {
    const { engine, keys } = await api()
    const headers = { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json; charset=utf-16' }
    const { body } = await read(engine.routes.request('/events', { method: 'POST', headers, body: '{}' }))
    expect(body['detail']).toBe('a JSON body must be UTF-8: send charset=utf-8 or no charset; found "utf-16"')
  })

  it('is required: without one, 400 with a content-type and 415 without', async () => {
    const { engine, keys, addEndpoint } = await api()
    const { id } = await addEndpoint()
    for (const { method, path } of withBody(await documentOf({ engine }))) {
      const ask = (headers: Record<string, string>) =>
        read(
          engine.routes.request(path.replace(/\{u?id\}/, id), {
            method,
            headers: { authorization: `Bearer ${keys.w1}`, ...headers },
          }),
        )
      expect(await ask({ 'content-type': 'application/json' }), path).toMatchObject(problem(400, 'invalid_request'))
      expect(await ask({}), path).toMatchObject(problem(415, 'unsupported_media_type'))
    }
  })

  it('may have its header twice, over a socket', async () => {
    const { engine, keys } = await api()
    const listener = getRequestListener(engine.routes.fetch)
    const server = createServer((incoming, outgoing) => void listener(incoming, outgoing)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const statusOf = (...types: string[]) =>
      new Promise((resolve, reject) => {
        const headers = [
          'host',
          'a',
          'authorization',
          `Bearer ${keys.w1}`,
          ...types.flatMap((one) => ['content-type', one]),
        ]
        request({ port, method: 'POST', path: '/events', headers }, (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        })
          .on('error', reject)
          .end('{"type":"a","data":{}}')
      })
    expect(await statusOf('application/json', 'application/json; charset=utf-8')).toBe(202)
    expect(await statusOf('text/plain', 'application/json')).toBe(415)
    server.close()
  })
})

describe('an answer', () => {
  it('is JSON whatever `Accept` says, problems included', async () => {
    const { engine, keys } = await api()
    for (const accept of ['text/html', 'application/xml', 'application/json;q=0', 'image/*', '', 'nothing']) {
      for (const { path } of routesOf(await documentOf({ engine })).filter(({ method }) => method === 'GET')) {
        const headers = { accept, authorization: `Bearer ${keys.w1}` }
        const answer = await engine.routes.request(path + (GOOD_QUERIES[path] ?? ''), { headers })
        expect(answer.headers.get('content-type'), path).toMatch(/^application\/(problem\+)?json$/)
        expect(path.startsWith('/workspaces') ? [403] : [200, 404]).toContain(answer.status)
      }
    }
  })

  it('to an `HTTPException` of the host is a problem of the same status', async () => {
    for (let status = 400; status <= 599; status++) {
      const answer = problemResponse(new HTTPException(status as 400, { message: 'said so' }))
      expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/problem+json'])
      expect(await answer.json()).toMatchObject({
        status,
        detail: status < 500 ? 'said so' : 'internal error; see the server log',
      })
    }
    for (const [status, code] of [
      [401, 'unauthenticated'],
      [409, 'conflict'],
      [418, 'invalid_request'],
      [429, 'too_many_requests'],
      [503, 'internal'],
    ] as const) {
      expect(await problemResponse(new HTTPException(status)).json(), code).toMatchObject({ code })
    }
    expect(await problemResponse(new HTTPException(402)).json()).toMatchObject({
      title: 'Payment Required',
      detail: 'Payment Required',
    })
  })

  it('has that status too if the host throws it in `authenticate`', async () => {
    const authenticate = async () => {
      throw new HTTPException(402, { message: 'no subscription' })
    }
    const { engine } = await api({ authenticate })
    // Mounted, because the document does not list errors that a host throws.
    const answer = await new Hono().route('/', engine.routes).request('/events')
    expect(await read(answer)).toEqual({
      status: 402,
      body: {
        type: 'about:blank',
        title: 'Payment Required',
        status: 402,
        detail: 'no subscription',
        code: 'invalid_request',
      },
    })
  })
})
