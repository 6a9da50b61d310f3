import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { readDocument } from '../../../test/document-check.ts'
import type { Document } from '../../../test/document.ts'
import { rig } from '../../../test/rig.ts'
import { api, documentOf, routesOf } from '../../../test/routes.ts'

const operationsOf = ({ paths }: Document) => Object.values(paths).flatMap((ofPath) => Object.values(ofPath))

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1 with a licence, a version, a security scheme, and described tags', async () => {
    const document = await documentOf(await rig())
    const { openapi, info, security, components, tags } = document
    expect({ openapi, info, security, components }).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Keepsend', version: '1.0.0', license: { identifier: 'MIT' } },
      security: [{ apiKey: [] }],
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    })
    expect(tags.every(({ description }) => description.length > 10)).toBe(true)
    expect(new Set(operationsOf(document).flatMap((operation) => operation.tags))).toEqual(
      new Set(tags.map(({ name }) => name)),
    )
  })

  it('gives each operation a unique name, a summary and its scope', async () => {
    const document = await documentOf(await rig())
    const operations = operationsOf(document)
    const names = operations.map(({ operationId }) => operationId)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names)
      expect(name).toMatch(
        /^(list|get|create|update|upsert|delete|publish|send|enable|disable|pause|resume|rotate|test|match|replay|cancel|acknowledge|resolve|retry|giveUp|export)[A-Z]/,
      )
    expect(operations.every(({ summary }) => summary.length > 10)).toBe(true)
    for (const { method, path, scope } of routesOf(document)) {
      const { security } = document.paths[path]?.[method.toLowerCase()] ?? {}
      expect(security, `${method} ${path}`).toEqual(scope === undefined ? [] : [{ apiKey: [scope] }])
    }
  })

  it('names every status from 400 to 499 that is retried by default', async () => {
    const text = JSON.stringify(await documentOf(await rig()))
    expect(text).toContain('in addition to 408, 421, 425 and 429')
  })

  it('names the schema of every body, and shows an example that fits it', async () => {
    const { engine } = await rig()
    const { document, validate } = await readDocument(engine.routes.fetch)
    let shown = 0
    for (const { operationId, requestBody, responses } of operationsOf(document)) {
      const bodies = [requestBody, ...Object.values(responses)].flatMap((one) => Object.values(one?.content ?? {}))
      for (const { schema, example, examples = {} } of bodies) {
        const named = schema.$ref === undefined ? (schema.oneOf ?? [schema]) : [schema]
        for (const { $ref } of named) expect($ref, operationId).toMatch(/\/schemas\/[A-Z]\w+$/)
        const values = example === undefined ? Object.values(examples).map(({ value }) => value) : [example]
        expect(values, operationId).not.toEqual([])
        for (const value of values)
          expect(validate(schema, value), `${operationId} ${JSON.stringify(value)}`).toEqual([])
        shown += values.length
      }
      expect(Object.hasOwn(responses, 'default'), operationId).toBe(false)
    }
    expect(shown).toBeGreaterThan(100)
  })

  it('distinguishes the forms of a publish: each fits exactly one schema', async () => {
    const { engine } = await rig()
    const { document, validate } = await readDocument(engine.routes.fetch)
    const { requestBody, responses } = document.paths['/events']?.['post'] ?? {}
    const input = requestBody?.content['application/json']?.schema.oneOf ?? []
    const output = responses?.['202']?.content?.['application/json']?.schema.oneOf ?? []
    expect([input.length, output.length]).toEqual([2, 2])
    const one = { object: 'event', type: 'a', data: {} }
    const published = { object: 'event', id: 'evt_1', type: 'a' }
    const list = (of: object) => ({ object: 'list', data: [of] })
    for (const [forms, values] of [
      [input, [one, list(one)]],
      [output, [published, list(published)]],
    ] as const) {
      for (const value of values) expect(forms.filter((form) => validate(form, value).length === 0)).toHaveLength(1)
    }
  })
})

describe('servers of the document', () => {
  const serversOf = async (answer: Response | Promise<Response>) => ((await (await answer).json()) as Document).servers
  const at = (url: string) => [{ url }]

  it('are the mount path of the routes, after the prefix that a proxy removed', async () => {
    const { engine } = await rig()
    const host = new Hono().route('/webhooks', engine.routes).route('/tenants/:id/hooks', engine.routes)
    expect(await serversOf(engine.routes.request('/openapi.json'))).toEqual(at('/'))
    expect(await serversOf(host.request('/webhooks/openapi.json?x=1'))).toEqual(at('/webhooks'))
    expect(await serversOf(host.request('/tenants/t1/hooks/openapi.json'))).toEqual(at('/tenants/t1/hooks'))
    for (const [prefix, url] of [
      ['/api', '/api/webhooks'],
      ['/api/v1/', '/api/v1/webhooks'],
      ['//evil.example', '/webhooks'],
      ['https://evil.example', '/webhooks'],
      ['/a"b', '/webhooks'],
      [`/${'x'.repeat(200)}`, '/webhooks'],
    ] as const) {
      const headers = { 'x-forwarded-prefix': prefix }
      expect(await serversOf(host.request('/webhooks/openapi.json', { headers })), prefix).toEqual(at(url))
    }
  })

  it('are distinguished by the entity tag', async () => {
    const { routes } = (await rig()).engine
    const tags = await Promise.all(
      ['', '/a', '/b', '/a'].map(async (prefix) => {
        const answer = await routes.request('/openapi.json', { headers: { 'x-forwarded-prefix': prefix } })
        return answer.headers.get('etag')
      }),
    )
    expect([new Set(tags).size, tags[1]]).toEqual([3, tags[3]])
  })

  it('are the mount path in Express, which removes it from the URL', async () => {
    const { engine } = await rig()
    const server = express().use('/webhooks', getRequestListener(engine.routes.fetch)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const servers = await serversOf(fetch(`http://127.0.0.1:${port}/webhooks/openapi.json?x=1`))
    server.close()
    expect(servers).toEqual(at('/webhooks'))
  })

  it('are the public URL if one is given, whatever the request', async () => {
    const { engine } = await rig({ publicUrl: 'https://api.example.com/webhooks' })
    const headers = { 'x-forwarded-prefix': '/other' }
    expect(await serversOf(engine.routes.request('/openapi.json', { headers }))).toEqual(
      at('https://api.example.com/webhooks'),
    )
    for (const publicUrl of ['', '/webhooks', 'ftp://a', 'https://a/', 'https://a/{x}', 'https://a?x', 'https://a b']) {
      await expect(rig({ publicUrl }), publicUrl).rejects.toMatchObject({ code: 'invalid_option' })
    }
  })
})

it('other methods of a path are 405 with `Allow`, and OPTIONS is 204, with a key or without', async () => {
  const { engine, call } = await api()
  const document = await documentOf({ engine })
  for (const [path, operations] of [
    ...Object.entries(document.paths),
    ['/openapi.json', { get: {} }] as const,
    ['/asyncapi.json', { get: {} }] as const,
  ]) {
    const to = path.replace(/\{u?id\}/, 'x')
    const methods = Object.keys(operations).map((method) => method.toUpperCase())
    const expected = new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])
    const options = await engine.routes.request(to, { method: 'OPTIONS' })
    expect([options.status, new Set(options.headers.get('allow')?.split(', '))], path).toEqual([204, expected])
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PURGE']) {
      if (expected.has(method)) continue
      const answer = await call(method, to, method === 'POST' ? {} : undefined)
      expect([answer.status, answer.headers.get('allow')], `${method} ${path}`).toEqual([
        405,
        options.headers.get('allow'),
      ])
      const text = await answer.text()
      expect(text === '' ? 'nothing' : JSON.parse(text).code, `${method} ${path}`).toBe(
        method === 'HEAD' ? 'nothing' : 'method_not_allowed',
      )
    }
    if (!expected.has('HEAD')) continue
    const [head, get] = await Promise.all(['HEAD', 'GET'].map((method) => call(method, to)))
    expect([head?.status, await head?.text()], path).toEqual([get?.status, ''])
    expect(head?.headers.get('content-type'), path).toBe(get?.headers.get('content-type'))
  }
})
