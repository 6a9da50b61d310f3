import { describe, expect, it } from 'vitest'
import { EngineError } from '../src/index.ts'
import type { Document, Schema } from './document.ts'
import { GOOD_BODIES, api, documentOf, problem, read, withBody } from './routes.ts'

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0)

/** The paths of texts, lists and maps of a schema that have no bound. */
function unbounded(document: Document, schema: Schema, path: string): string[] {
  const { $ref, type, items, properties = {}, additionalProperties } = schema
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1) ?? ''
    return unbounded(document, document.components.schemas[name] ?? {}, `${path} ${name}`)
  }
  const types = [type].flat()
  const found: string[] = []
  const isListed = schema.enum !== undefined || schema.const !== undefined
  if (types.includes('string') && !isListed && schema.maxLength === undefined) found.push(path)
  if (types.includes('array') && schema.maxItems === undefined) found.push(`${path}[]`)
  if (typeof additionalProperties === 'object' && schema.maxProperties === undefined) found.push(`${path}{}`)
  return [
    ...found,
    ...(items ? unbounded(document, items, `${path}[]`) : []),
    ...Object.entries(properties).flatMap(([name, one]) => unbounded(document, one, `${path}.${name}`)),
    ...[schema.anyOf, schema.oneOf, schema.allOf].flatMap((all = []) =>
      all.flatMap((one) => unbounded(document, one, path)),
    ),
  ]
}

describe('the size of a request', () => {
  it('is bounded on every route: each text, list and parameter, except the data of an event', async () => {
    const document = await documentOf(await api())
    const found = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { parameters = [], requestBody }]) => {
        const at = `${method} ${path}`
        const schema = requestBody?.content['application/json']?.schema
        const inParameters = parameters.flatMap((one) => unbounded(document, one.schema, `${at} ?${one.name}`))
        return [...inParameters, ...(schema ? unbounded(document, schema, at) : [])]
      }),
    )
    expect([...new Set(found)]).toEqual([
      'post /events EventInput.data{}',
      'post /events EventInputList.data[] EventInput.data{}',
      // The engine bounds a filter as a whole, in bytes.
      'put /endpoints-by-uid/{uid} EndpointByUid.filter{}',
      'post /endpoints EndpointInput.filter{}',
      'patch /endpoints/{id} EndpointChange.filter{}',
      'post /endpoints/{id}/match EventInput.data{}',
      'post /endpoints/{id}/test/send TestInput.data{}',
    ])
  })

  it.each([
    ['POST /endpoints', { url: 'https://hooks.example.com/', channels: zeros(124_000) }],
    ['POST /endpoints', { url: 'https://hooks.example.com/', eventTypes: zeros(124_000) }],
    ['POST /endpoints', { url: 'https://hooks.example.com/', retryStatuses: zeros(124_000) }],
    ['POST /endpoints', { url: 'https://hooks.example.com/', signatures: zeros(124_000) }],
    [
      'POST /endpoints',
      { url: 'https://hooks.example.com/', headers: Object.fromEntries(zeros(20_000).map((zero, n) => [n, zero])) },
    ],
    [
      'POST /endpoints',
      {
        url: 'https://hooks.example.com/',
        headers: Object.fromEntries(zeros(129).map((zero, n) => [`x-${n}`, String(zero)])),
      },
    ],
    ['POST /endpoints', { url: 'https://hooks.example.com/', headers: { 'x-long': 'x'.repeat(16_385) } }],
    ['POST /endpoints', Object.fromEntries(zeros(20_000).map((zero, n) => [n, zero]))],
    ['PATCH /endpoints/{id}', { retrySchedule: zeros(124_000) }],
    ['POST /events', { type: 'a', data: {}, channels: zeros(124_000) }],
    ['POST /events', zeros(500_000)],
  ])('beyond its bound is 400 in at most 1,000 characters, without a stack overflow: %s', async (route, body) => {
    const { call, addEndpoint, count } = await api()
    const { id } = await addEndpoint()
    const [method = '', path = ''] = route.split(' ')
    const answer = await read(call(method, path.replace(/\{u?id\}/, id), body))
    expect(answer).toEqual(problem(400, 'invalid_request'))
    expect(String(answer.body['detail']).length).toBeLessThanOrEqual(1000)
    expect([await count('keepsend_endpoints'), await count('pending_events')]).toEqual([1, 0])
  })

  it('a text of 120,000 characters in any field of any route is refused in at most 1,000', async () => {
    const { call, addEndpoint, ...made } = await api()
    const { id } = await addEndpoint()
    const text = 'x'.repeat(120_000)
    for (const { method, path } of withBody(await documentOf(made))) {
      const good = GOOD_BODIES[`${method} ${path}`] as Record<string, unknown>
      const fields = [
        'url',
        'description',
        'type',
        'id',
        'timestamp',
        'secret',
        'scheme',
        'settledAfter',
        'surprise',
        text,
      ]
      for (const field of fields) {
        const { status, body } = await read(call(method, path.replace(/\{u?id\}/, id), { ...good, [field]: text }))
        expect([status, body['code']], `${method} ${path} ${field.slice(0, 20)}`).toEqual([400, 'invalid_request'])
        expect(String(body['detail']).length).toBeLessThanOrEqual(1000)
      }
    }
  })

  it('of the problems of a request five are listed, and how many there are', async () => {
    const { call } = await api()
    const { body } = await read(
      call('POST', '/endpoints', { url: 1, description: 1, eventTypes: zeros(20), channels: [1] }),
    )
    const detail = String(body['detail'])
    expect(detail).toMatch(/^23 problems, of which the first:/)
    expect(detail.split('; ')).toHaveLength(5)
  })
})

it('an error of the engine has at most 1,000 characters, whatever it quotes', () => {
  expect(new EngineError('invalid_event', 'x'.repeat(1000)).message).toBe('x'.repeat(1000))
  expect(new EngineError('invalid_event', 'x'.repeat(1001)).message).toBe(`${'x'.repeat(999)}…`)
})

describe('a text at its bound', () => {
  it('may be of emoji, of which each is one character', async () => {
    const made = await api()
    const emoji = (count: number) => '😀'.repeat(count)
    const create = (parts: object) =>
      read(made.call('POST', '/endpoints', { url: 'https://hooks.example.com/', eventTypes: ['*'], ...parts }))
    const basic = (username: string, password: string) => ({ auth: { type: 'basic', username, password } })
    for (const most of [{ description: emoji(500) }, basic(emoji(256), emoji(1024))])
      expect(await create(most)).toMatchObject({ status: 201 })
    for (const more of [{ description: emoji(501) }, basic(emoji(257), ''), basic('', emoji(1025))])
      expect(await create(more)).toMatchObject({ status: 422, body: { code: 'invalid_endpoint' } })
  })
})
