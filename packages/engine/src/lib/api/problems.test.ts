import { describe, expect, it } from 'vitest'
import { EngineError, OPERATOR_SCOPES, SCOPES, problemResponse } from '../../index.ts'
import type { Document, Schema } from '../../../test/document.ts'
import { GOOD_BODIES, api, documentOf, operationOf, read, routesOf, withBody } from '../../../test/routes.ts'

/** The properties of a route's body, or of the first of its forms. */
function propertiesOf(document: Document, schema: Schema): string[] {
  const { $ref, oneOf, properties = {} } = schema
  const other = oneOf?.[0] ?? ($ref && document.components.schemas[$ref.split('/').at(-1) ?? ''])
  return other ? propertiesOf(document, other) : Object.keys(properties)
}

/** One line of visible characters. */
const LINE = /^[^\p{Cc}\u2028-\u202e✖→]+$/u

async function detailOf(response: Promise<Response>): Promise<string> {
  const { body } = await read(response)
  const detail = String(body['detail'])
  expect(detail).toMatch(LINE)
  return detail
}

describe('a problem document names', () => {
  it('every field of every body that has a wrong type, and every unknown one', async () => {
    const { call, addEndpoint, engine, work } = await api({ history: true, answer: () => 400 })
    const { id } = await addEndpoint()
    await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await work()
    const idIn = (path: string): string => (path.startsWith('/problems') ? `prb_${id}.http_4xx.400` : id)
    const document = await documentOf({ engine })
    let tried = 0
    for (const { method, path } of withBody(document)) {
      const content = operationOf(document, method, path).requestBody?.content
      const names = propertiesOf(document, content?.['application/json']?.schema as Schema)
      expect(names, `${method} ${path}`).not.toEqual([])
      const good = GOOD_BODIES[`${method} ${path}`] as object
      for (const name of [...names, 'surprise']) {
        for (const wrong of [true, 'x\ny', [{}], 1.5].slice(0, name === 'surprise' ? 1 : 4)) {
          const response = await call(method, path.replace(/\{u?id\}/, idIn(path)), { ...good, [name]: wrong })
          // A description may be any text, for example: accepted values have no problem. An id may be any text too, of nothing.
          if (response.status < 400 || response.status === 404) continue
          tried++
          expect(await detailOf(Promise.resolve(response)), `${method} ${path} ${name}`).toContain(name)
        }
      }
    }
    expect(tried).toBeGreaterThan(60)
  })

  it('a query parameter that a route does not know, on every route', async () => {
    const { call, addEndpoint, engine } = await api()
    const { id } = await addEndpoint()
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1', scopes: [...SCOPES, ...OPERATOR_SCOPES] })
    for (const { method, path } of routesOf(await documentOf({ engine }))) {
      if (path === '/health' || path === '/openapi.json') continue
      const body = GOOD_BODIES[`${method} ${path}`]
      const response = call(method, `${path.replace(/\{u?id\}/, id)}?surpr%0Aise=1`, body, key)
      expect(await detailOf(response), `${method} ${path}`).toMatch(/"surpr.{1,2}ise"/)
    }
  })

  it.each(['/events', '/endpoints', '/deliveries'])('the page parameter that is wrong: %s', async (path) => {
    const { call } = await api()
    for (const query of ['limit=0', 'limit=251', 'limit=x', 'limit=1.5', 'limit=', 'limit=1&limit=2']) {
      expect(await detailOf(call('GET', `${path}?${query}`)), query).toMatch(/^limit: /)
    }
    for (const query of ['cursor=abc', 'cursor=%E2%9C%96', `cursor=${'x'.repeat(300)}`, 'cursor=a&cursor=b']) {
      expect(await detailOf(call('GET', `${path}?${query}`)), query).toMatch(/^cursor/)
    }
  })

  it.each([
    ['POST', '/events', { type: 'a.b' }, /^data: /],
    ['POST', '/events', [{ type: 'a', data: {} }, { type: 'a' }], /^\[1\]\.data: /],
    ['POST', '/events', [{ type: 'a', data: {} }, 1], /^\[1\]: /],
    [
      'POST',
      '/events',
      [
        { type: 'a', data: {} },
        { type: 'A\nb', data: {} },
      ],
      /^events\[1\]: type .*"A\\nb"$/,
    ],
    ['POST', '/events', { type: 'a', data: {}, channels: ['b', 1] }, /^channels\[1\]: /],
    ['POST', '/events', { type: 'a', data: {}, timestamp: '2026-02-30T12:00:00Z' }, /^timestamp: .*30.*February 2026/],
    ['POST', '/endpoints', {}, /^url: /],
    ['POST', '/endpoints', { url: 'https://a.example.com/', ratePeriod: 'day' }, /^ratePeriod: .*second.*minute.*hour/],
    ['POST', '/endpoints', { url: 'https://a.example.com/', signatures: ['v1', 'v2'] }, /^signatures\[1\]: .*v1a/],
    [
      'POST',
      '/endpoints',
      { url: 'https://a.example.com/', compatSignature: { header: 'x', odd: 1 } },
      /^compatSig.*"odd"/,
    ],
    ['POST', '/endpoints', { url: 'https://a.example.com/', headers: { 'a\nb': 'c' } }, /^headers: /],
    ['POST', '/endpoints', { url: 'https://a.example.com/', eventTypes: ['A\nb'] }, /^eventTypes .*"A\\nb"/],
    ['GET', '/deliveries?status=done', undefined, /^status: .*"pending".*"held"/],
    ['GET', `/deliveries?endpointId=${'x'.repeat(200)}`, undefined, /^endpointId: /],
    ['GET', `/endpoints/${'x'.repeat(200)}`, undefined, /^id: /],
  ])('the field: %s %s %j', async (method, path, body, detail) => {
    const { call } = await api()
    expect(await detailOf(call(method, path, body))).toMatch(detail)
  })
})

describe('the detail of any problem', () => {
  it('is one line of visible characters, whatever the error', async () => {
    const answer = problemResponse(new EngineError('invalid_event', 'found "a\r\nb\u001b[1m\u202ec"'))
    expect(await answer.json()).toMatchObject({ detail: 'found "a  b [1m c"' })
  })
})

describe('a time in a body', () => {
  it.each([
    '2026-11-23T12:00:00Z',
    '2026-11-23t12:00:00z',
    '2026-11-23T12:00:00-00:00',
    '2026-11-23T14:00:00.123456789123456789+02:00',
    '2016-12-31T23:59:60Z',
  ])('may be any of RFC 3339 in every field that holds one: %s', async (time) => {
    const { call, addEndpoint } = await api()
    const { id } = await addEndpoint()
    expect(await read(call('POST', '/events', { type: 'a', data: {}, timestamp: time }))).toMatchObject({ status: 202 })
    for (const field of ['since', 'until']) {
      const answer = await read(call('POST', `/endpoints/${id}/replay`, { [field]: time }))
      expect(answer, field).toMatchObject({ status: 201, body: { planned: 0 } })
    }
  })

  it('is read with its offset and its fraction', async () => {
    const { call, addEndpoint, work, exec } = await api({ answer: () => 404 })
    const { id } = await addEndpoint()
    await call('POST', '/events', { type: 'a', data: {} })
    await work()
    // A replay takes what was settled before it.
    await exec('update pending_events set completed_at = completed_at - 1000')
    const [{ completedAt } = { completedAt: '' }] = (await read(call('GET', '/deliveries'))).body['data'] as {
      completedAt: string
    }[]
    expect(completedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const at = (ms: number) => new Date(Date.parse(completedAt) + 7_200_000 + ms).toISOString().replace('Z', '9+02:00')
    const replay = (body: object) => read(call('POST', `/endpoints/${id}/replay`, body))
    expect(await replay({ since: at(1) })).toMatchObject({ body: { planned: 0 } })
    expect(await replay({ until: at(-1) })).toMatchObject({ body: { planned: 0 } })
    expect(await replay({ since: at(-1), until: at(1) })).toMatchObject({ body: { planned: 1 } })
  })
})
