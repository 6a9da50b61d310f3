import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toStandardJsonSchema } from '@valibot/to-json-schema'
import Ajv from 'ajv'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineEvents, event, eventDeclarations } from '../src/index.ts'
import { VENDORS } from './catalog-vendors.ts'
import { temporaryFile } from './database.ts'
import { api, documentOf, problem, read } from './routes.ts'
import { rig } from './rig.ts'

interface Comment {
  text: string
  answers: Comment[]
}
const comment: z.ZodType<Comment> = z.object({
  text: z.string(),
  get answers() {
    return z.array(comment)
  },
})

const catalog = defineEvents({
  // In no order, as a catalog is written.
  'order.paid': event({
    schema: z.object({
      id: z.string().describe('Ends */ no comment'),
      status: z.enum(['paid', 'late']),
      method: z.union([
        z.object({ kind: z.literal('card'), last4: z.string() }),
        z.object({ kind: z.literal('bank') }),
      ]),
      pair: z.tuple([z.string(), z.number()]),
      note: z.string().nullable().optional(),
      labels: z.record(z.string(), z.string()),
      'strange name\n"': z.boolean(),
      paidAt: z.date().transform((at) => at.toISOString()),
    }),
    description: 'An order was paid.',
    example: {
      id: 'o1',
      status: 'paid',
      method: { kind: 'bank' },
      pair: ['a', 1],
      labels: { a: 'b' },
      'strange name\n"': true,
      paidAt: new Date('2026-11-23T12:00:00Z'),
    },
  }),
  'comment.made': event({
    schema: z.object({ first: comment }),
    description: 'A comment\nwas made.',
    deprecated: true,
    example: { first: { text: 'a', answers: [{ text: 'b', answers: [] }] } },
  }),
  'file.added': event({
    schema: { '~standard': { version: 1, vendor: 'own', validate: (value) => ({ value: value as object }) } },
  }),
  Event: event({ schema: z.object({}), jsonSchema: { $ref: '#/$defs/It', $defs: { It: { type: 'object' } } } }),
})

describe('GET /event-types', () => {
  it('lists types by name with examples as they are sent, and logs once which have no JSON Schema', async () => {
    const { call, log } = await api({ catalog })
    const { body } = await read(call('GET', '/event-types'))
    expect(body).toMatchObject({
      data: [
        { type: 'Event', description: null, deprecated: false, example: null, jsonSchema: { $ref: '#/$defs/It' } },
        { type: 'comment.made', deprecated: true, example: { first: { answers: [{ text: 'b' }] } } },
        { type: 'file.added', example: null, jsonSchema: null },
        { type: 'order.paid', description: 'An order was paid.', example: { paidAt: '2026-11-23T12:00:00.000Z' } },
      ],
    })
    expect(body).not.toHaveProperty('cursor')
    await call('GET', '/event-types')
    expect(log.entries).toMatchObject([{ level: 'warn', fields: { type: 'file.added' } }])
  })

  it('filters deprecated types, in code too', async () => {
    const { call, engine } = await api({ catalog })
    const types = async (query: string) => {
      const { body } = await read(call('GET', `/event-types${query}`))
      return (body['data'] as { type: string }[]).map(({ type }) => type)
    }
    expect(await types('?deprecated=true')).toEqual(['comment.made'])
    expect(await types('?deprecated=false')).toEqual(['Event', 'file.added', 'order.paid'])
    expect(engine.eventTypes({ deprecated: true }).map(({ type }) => type)).toEqual(['comment.made'])
    expect(await read(call('GET', '/event-types?deprecated=1'))).toMatchObject(problem(400, 'invalid_request'))
  })

  it('has pages, and a cursor of another list is a position among the names', async () => {
    const { call } = await api({ catalog })
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await read(call('GET', `/event-types?limit=2${cursor === undefined ? '' : `&cursor=${cursor}`}`))
      seen.push(...(page.body['data'] as { type: string }[]).map(({ type }) => type))
      cursor = page.body['cursor'] as string | undefined
    } while (cursor !== undefined)
    expect(seen).toEqual(['Event', 'comment.made', 'file.added', 'order.paid'])
    expect(await read(call('GET', `/event-types?cursor=${btoa('zzz')}`))).toEqual({ status: 200, body: { data: [] } })
    expect(await read(call('GET', '/event-types?cursor=*'))).toMatchObject(problem(400, 'invalid_request'))
  })

  it('has the JSON Schema of a valibot schema that its converter wraps, which still validates', async () => {
    const schema = toStandardJsonSchema(v.object({ id: v.string() }))
    const { engine } = await rig({ catalog: defineEvents({ 'a.b': event({ schema, example: { id: 'a' } }) }) })
    expect(engine.eventTypes()).toMatchObject([{ jsonSchema: { properties: { id: { type: 'string' } } } }])
    const wrong = { type: 'a.b', workspaceId: 'w1', data: { id: 1 } }
    await expect(engine.publish(wrong)).rejects.toMatchObject({ code: 'invalid_event' })
  })

  it('is empty without a catalog', async () => {
    const { call, engine } = await api()
    expect(await read(call('GET', '/event-types'))).toEqual({ status: 200, body: { data: [] } })
    expect(engine.eventTypes()).toEqual([])
  })
})

describe('the OpenAPI document', () => {
  it('has a webhook for each type, whose examples fit its schema, and wrong data does not', async () => {
    const document = await documentOf(await rig({ catalog }))
    expect(Object.keys(document.webhooks ?? {})).toEqual(['Event', 'comment.made', 'file.added', 'order.paid'])
    expect(document.webhooks?.['comment.made']?.['post']).toMatchObject({ deprecated: true, security: [] })
    expect(document.components.schemas['EventTypePage']).toBeDefined()
    const ajv = addFormats.default(new Ajv2020.default({ strict: false }))
    ajv.addSchema(document, 'openapi')
    const check = (type: string, value: unknown) =>
      ajv.validate({ $ref: `openapi#/components/schemas/data.${type}` }, value)
    for (const type of ['comment.made', 'order.paid']) {
      const { example } = document.webhooks?.[type]?.['post']?.requestBody?.content['application/json'] ?? {}
      const { data } = example as { data: object }
      expect([check(type, data), check(type, { ...data, id: 5, first: 5 })], type).toEqual([true, false])
    }
    expect(check('comment.made', { first: { text: 'a', answers: [{ text: 'b', answers: [{ text: 5 }] }] } })).toBe(
      false,
    )
  })

  it('has no webhooks without a catalog', async () => {
    expect(await documentOf(await rig())).not.toHaveProperty('webhooks')
  })
})

describe('GET /asyncapi.json', () => {
  const require = createRequire(import.meta.url)
  const official = require('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object

  it.each([['every kind of schema', catalog], ...Object.entries(VENDORS), ['no catalog', undefined]] as const)(
    'is a valid AsyncAPI 3 document, with %s',
    async (_, of) => {
      const { engine } = await rig({ catalog: of })
      const answer = await engine.routes.request('/asyncapi.json')
      const document = (await answer.json()) as { components: { messages: Record<string, unknown> } }
      const ajv = addFormats.default(new Ajv.default({ strict: false, allErrors: true, logger: false }))
      ajv.validate(official, document)
      expect(ajv.errors).toBeNull()
      expect(Object.keys(document.components.messages)).toEqual(engine.eventTypes().map(({ type }) => type))
    },
  )

  it('needs no key, and answers 304 to its entity tag', async () => {
    const { engine } = await rig({ catalog })
    const first = await engine.routes.request('/asyncapi.json')
    const again = await engine.routes.request('/asyncapi.json', {
      headers: { 'if-none-match': first.headers.get('etag') ?? '' },
    })
    expect([first.status, again.status, await again.text()]).toEqual([200, 304, ''])
  })
})

it('eventDeclarations are types of each event, which a receiver compiles with', () => {
  const text = eventDeclarations(catalog)
  expect(text).toContain('/** A comment was made. @deprecated */')
  const file = temporaryFile('events.d.ts')
  writeFileSync(file, text)
  writeFileSync(
    join(dirname(file), 'receiver.ts'),
    `import type { EventData, WebhookEvent } from './events.d.ts'
    declare const event: WebhookEvent
    if (event.type === 'order.paid') {
      const { id, status, method, pair, note, labels, paidAt } = event.data
      const strange: boolean = event.data['strange name\\n"']
      const texts: string[] = [id, pair[0], labels['a']!, event.timestamp]
      const late: boolean = status === 'late'
      const number: number = pair[1]
      const optional: string | null | undefined = note
      if (method.kind === 'card') texts.push(method.last4)
      const any: unknown = paidAt
      void [strange, texts, late, number, optional, any]
    }
    const made: EventData['comment.made'] = { first: { text: 'a', answers: [{ text: 'b', answers: [] }] } }
    // @ts-expect-error an answer is a comment
    const wrong: EventData['comment.made'] = { first: { text: 'a', answers: [{ text: 5, answers: [] }] } }
    // @ts-expect-error a value that the status does not have
    const other: EventData['order.paid']['status'] = 'open'
    const file: unknown = {} as EventData['file.added']
    // @ts-expect-error its data is unknown
    const known: object = {} as EventData['file.added']
    void [made, wrong, other, file, known]
    `,
  )
  const tsc = join(fileURLToPath(new URL('../../..', import.meta.url)), 'node_modules', '.bin', 'tsc')
  const flags = [
    '--noEmit',
    '--strict',
    '--allowImportingTsExtensions',
    '--types',
    '',
    '--lib',
    'es2024',
    'receiver.ts',
  ]
  const { stdout } = spawnSync(tsc, flags, { cwd: dirname(file), encoding: 'utf8' })
  expect(stdout).toBe('')
}, 60_000)

it('eventDeclarations of each vendor are the same', () => {
  const texts = Object.values(VENDORS).map((of) =>
    eventDeclarations(of)
      .replaceAll(/^( +)(.*)$/gm, '$1$2')
      .split('\n')
      .sort(),
  )
  expect(new Set(texts.map(String)).size).toBe(1)
})
