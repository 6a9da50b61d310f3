import type { StandardSchemaV1 } from '@standard-schema/spec'
import { Transaction } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  type EngineOptions,
  type WebhookEvent,
  commitWithEvents,
  defineEvents,
  event,
  insertQueuedEvent,
  keepsend,
  newEventId,
  publishEvent,
} from '../src/index.ts'
import { VENDORS } from './catalog-vendors.ts'
import { rig, settled } from './rig.ts'
import { api, problem, read } from './routes.ts'

const CREATED = { type: 'message.created', workspaceId: 'w1' }
const given = (data: object): WebhookEvent => ({ ...CREATED, data })
const GOOD = { id: 'm1', text: ' hello ', more: 1 }
const SENT = { id: 'm1', text: 'hello' }

const vendors = Object.entries(VENDORS)
const { zod: catalog } = VENDORS

/** An engine with one endpoint and a table of the host's. */
async function world(options: Partial<EngineOptions> = { catalog }) {
  const made = await rig(options)
  await made.addEndpoint()
  const sent = () => made.sender.requests.map(({ body }) => JSON.parse(body) as { type: string; data: object })
  return { ...made, sent }
}

/** Each way of publishing. */
async function everyWay({ engine, db }: Awaited<ReturnType<typeof world>>, one: WebhookEvent) {
  const app = new Hono().use(keepsend(engine))
  const response = { status: 200, body: 1 }
  app.post('/commit', (c) => commitWithEvents(c, { writes: [], events: [one], response }))
  app.post('/publish', async (c) => c.json(await publishEvent(c, one)))
  app.onError((error) => {
    throw error
  })
  const ask = async (path: string) => read(app.request(path, { method: 'POST' }))
  return {
    publish: () => engine.publish(one),
    commit: () => engine.commit({ writes: [], events: [one] }),
    publishStatements: async () => {
      const transaction = new Transaction()
      for (const statement of engine.publishStatements({ ...one, id: newEventId() })) transaction.add(statement)
      await transaction.commit(db)
    },
    publishEvent: () => ask('/publish'),
    commitWithEvents: () => ask('/commit'),
  }
}

describe.each(vendors)('a catalog with schemas of %s', (_, of) => {
  it('sends the output of the schema, whichever way the event is published', async () => {
    const made = await world({ catalog: of })
    for (const way of Object.values(await everyWay(made, given(GOOD)))) await way()
    await made.work()
    expect(made.sent().map(({ data }) => data)).toEqual(Array.from({ length: 5 }, () => SENT))
  })

  it('refuses data that does not fit, with the path of each problem, before anything is written', async () => {
    const made = await world({ catalog: of })
    const wrong = given({ id: 1, text: 'hello', tags: ['a', 2] })
    const { commitWithEvents: overHono, ...ways } = await everyWay(made, wrong)
    for (const way of Object.values(ways)) {
      await expect(way()).rejects.toMatchObject({
        code: 'invalid_event',
        message: expect.stringMatching(/^data of message\.created does not fit its schema: .*id: .*tags\[1\]: /),
      })
    }
    expect(await overHono()).toMatchObject(problem(422, 'invalid_event'))
    expect(await made.count('pending_events')).toBe(0)
  })

  it('shows receivers the example as it is sent, and the JSON Schema of the data', async () => {
    const { engine } = await rig({ catalog: of })
    expect(engine.eventTypes()).toMatchObject([
      {
        type: 'message.created',
        description: 'A message was posted.',
        deprecated: false,
        example: SENT,
        jsonSchema: {
          type: 'object',
          properties: { id: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
          required: ['id', 'text'],
        },
      },
    ])
  })
})

describe('an event of a type that the catalog does not have', () => {
  const unknown = { type: 'message.creatd', workspaceId: 'w1', data: {} }
  const raw = { ...CREATED, type: 'other', raw: { body: '<a/>', contentType: 'text/xml' } }

  it('is refused, with data or a raw body, and nothing is written', async () => {
    const made = await world()
    for (const one of [unknown, raw, { ...unknown, type: 'constructor' }]) {
      const { commitWithEvents: overHono, ...ways } = await everyWay(made, one)
      for (const way of Object.values(ways))
        await expect(way()).rejects.toMatchObject({
          code: 'invalid_event',
          message: `the catalog has no type ${one.type}: correct it, or add it to defineEvents`,
        })
      expect(await overHono()).toMatchObject(problem(422, 'invalid_event'))
    }
    expect(await made.count('pending_events')).toBe(0)
  })

  it('is published and logged once for each type where the catalog warns, and not logged where it is off', async () => {
    const logged = async (validation: 'warn' | 'off') => {
      const { engine, log, work, sent } = await world({ catalog, validation })
      for (const one of [unknown, unknown, { ...unknown, type: 'other' }]) await engine.publish(one)
      await work()
      expect(sent()).toHaveLength(3)
      return log.entries.map(({ level, fields }) => [level, fields['type']])
    }
    expect(await logged('warn')).toEqual([
      ['warn', 'message.creatd'],
      ['warn', 'other'],
    ])
    expect(await logged('off')).toEqual([])
  })

  it('is logged for at most 1,000 types', async () => {
    const lines: unknown[] = []
    const logger = { info() {}, error() {}, warn: (fields: object) => void lines.push(fields) }
    let now = 0
    // Each line in a period of its own, so that the limit of lines does not count.
    const { engine } = await world({ catalog, validation: 'warn', logger, monotonic: () => (now += 20_000) })
    const events = Array.from({ length: 1010 }, (_, n) => ({ ...unknown, type: `t${n}` }))
    for (let from = 0; from < events.length; from += 101)
      await engine.commit({ writes: [], events: events.slice(from, from + 101) })
    expect(lines).toHaveLength(1000)
  })
})

describe('data that does not fit', () => {
  it('is published as it was given where the catalog warns, and its values are not logged', async () => {
    const { engine, log, work, sent } = await world({ catalog, validation: 'warn' })
    const wrong = { id: 'a-secret-of-a-customer', text: 5, more: 'x' }
    for (const data of [wrong, GOOD]) {
      await engine.publish(given(data))
      await work()
    }
    expect(sent().map(({ data }) => data)).toEqual([wrong, SENT])
    expect(log.entries).toMatchObject([
      { level: 'warn', fields: { type: 'message.created', problems: 1, fields: 'text' } },
    ])
    expect(JSON.stringify(log.entries)).not.toContain('a-secret')
  })

  it('is neither validated nor changed where the catalog is off', async () => {
    const { engine, work, sent } = await world({ catalog, validation: 'off' })
    for (const data of [GOOD, {}]) {
      await engine.publish(given(data))
      await work()
    }
    expect(sent().map(({ data }) => data)).toEqual([GOOD, {}])
  })

  it('is refused with at most 5 problems and 1,000 characters, whatever the names and messages are', async () => {
    const long = '😀'.repeat(3000)
    const schema = z.record(z.string(), z.number({ error: () => `${long}\n` }))
    const { engine } = await world({ catalog: defineEvents({ 'message.created': event({ schema }) }) })
    const data = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`${n}${long}`, 'x']))
    const error = await engine.publish(given(data)).catch((thrown: Error) => thrown)
    const { message } = error as Error
    expect(message.length).toBeLessThanOrEqual(1000)
    expect(message).toMatch(/^data of message\.created does not fit its schema: 300 problems, of which the first: /)
    expect(message).not.toContain('\n')
  })

  it('is named by its index in a commit and in POST /events, and nothing of the others is written', async () => {
    const { engine, call, count, addEndpoint } = await api({ catalog })
    await addEndpoint()
    const message = /^events\[1\]: data of message\.created does not fit its schema: id: /
    await expect(engine.commit({ writes: [], events: [given(GOOD), given({ text: 'a' })] })).rejects.toThrow(message)
    const body = [GOOD, { text: 'a' }].map((data) => ({ type: 'message.created', data }))
    expect(await read(call('POST', '/events', body))).toMatchObject({
      status: 422,
      body: { code: 'invalid_event', detail: expect.stringMatching(message) },
    })
    expect(await count('pending_events')).toBe(0)
  })

  it('is refused as before where it is no object at all', async () => {
    const { engine } = await world()
    for (const data of [null, 'text', 5, undefined, new Date()])
      await expect(engine.publish({ ...CREATED, data } as WebhookEvent)).rejects.toMatchObject({
        code: 'invalid_event',
      })
    for (const one of [null, undefined, 'text', { type: 5 }, { type: 'keepsend.a', workspaceId: 'w1', data: {} }])
      await expect(engine.publish(one as WebhookEvent)).rejects.toMatchObject({ code: 'invalid_event' })
  })
})

describe('a schema', () => {
  const asynchronous = z.object({ id: z.string() }).refine(async ({ id }) => id !== 'bad')
  const broken = (validate: StandardSchemaV1<unknown, object>['~standard']['validate']) =>
    defineEvents({ 'message.created': { schema: { '~standard': { version: 1, vendor: 'own', validate } } } })
  const thrower = () => {
    throw new TypeError('the text of a message')
  }

  it('that is asynchronous is awaited by publish and commit, and refused by name in publishStatements', async () => {
    const made = await world({ catalog: defineEvents({ 'message.created': event({ schema: asynchronous }) }) })
    const good = await everyWay(made, given({ id: 'm1', more: 1 }))
    const bad = await everyWay(made, given({ id: 'bad' }))
    for (const way of [good.publish, good.commit, good.publishEvent, good.commitWithEvents]) await way()
    for (const way of [bad.publish, bad.commit, bad.publishEvent])
      await expect(way()).rejects.toMatchObject({ code: 'invalid_event' })
    for (const way of [good, bad])
      await expect(way.publishStatements()).rejects.toMatchObject({
        code: 'invalid_option',
        message: expect.stringContaining('the schema of message.created is asynchronous'),
      })
    await made.work()
    expect(made.sent().map(({ data }) => data)).toEqual(Array.from({ length: 4 }, () => ({ id: 'm1' })))
  })

  it.each<[string, Parameters<typeof broken>[0]]>([
    ['throws', thrower],
    ['rejects', async () => thrower()],
    ['returns nothing', () => undefined as never],
  ])('that %s is a fault of the set-up, and no text of it is shown or logged', async (_, validate) => {
    const made = await world({ catalog: broken(validate) })
    const refused = {
      code: 'invalid_option',
      message: expect.stringMatching(/^the schema of message\.created threw \(TypeError\)/),
    }
    await expect(made.engine.publish(given(GOOD))).rejects.toMatchObject(refused)
    await expect(made.engine.commit({ writes: [], events: [given(GOOD)] })).rejects.toMatchObject(refused)
    const { key } = await made.engine.apiKeys.create({ workspaceId: 'w1' })
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ type: 'message.created', data: GOOD })
    const answer = await read(made.engine.routes.request('/events', { method: 'POST', headers, body }))
    expect(answer).toMatchObject(problem(500, 'invalid_option'))
    expect(JSON.stringify([answer, made.log.entries])).not.toContain('the text of a message')
    expect(await made.count('pending_events')).toBe(0)
  })

  it('whose output is no object is refused as data that JSON cannot write as one', async () => {
    for (const value of ['text', [1], 5n, new Map()]) {
      const { engine } = await world({ catalog: broken(() => ({ value: value as object })) })
      await expect(engine.publish(given(GOOD))).rejects.toMatchObject({ code: 'invalid_event' })
    }
  })

  it('sees numbers of POST /events as numbers, and those that it does not change are sent as they were written', async () => {
    const schema = z
      .object({ id: z.number(), price: z.number(), list: z.array(z.number()), at: z.iso.date() })
      .transform((one) => ({ ...one, added: true, price: one.price * 2 }))
    const { call, work, sender, addEndpoint } = await api({
      catalog: defineEvents({ 'message.created': event({ schema, jsonSchema: {} }) }),
    })
    await addEndpoint()
    const data = '{"at":"2026-11-23","list":[1.0,12345678901234567890],"id":9007199254740993,"price":1.50,"more":1}'
    const answer = await read(call('POST', '/events', `{"type":"message.created","data":${data}}`))
    expect(answer.status).toBe(202)
    await work()
    expect(sender.requests[0]?.body).toContain(
      '"data":{"id":9007199254740993,"price":3,"list":[1.0,12345678901234567890],"at":"2026-11-23","added":true}',
    )
  })

  it('runs once for each event, also if the database refuses its rows and the queue brings them', async () => {
    const schema = z.object({ n: z.number() }).transform(({ n }) => ({ n: n + 1 }))
    const made = await world({ catalog: defineEvents({ 'message.created': event({ schema, jsonSchema: {} }) }) })
    await made.readOnly(true)
    expect(await made.engine.publish(given({ n: 1 }))).toMatchObject({ accepted: false })
    await settled()
    await made.readOnly(false)
    const [message] = made.messages
    if (message) await insertQueuedEvent({ db: made.db, rowsStart: 'now' }, message)
    await made.work()
    expect(made.sent().map(({ data }) => data)).toEqual([{ n: 2 }])
  })
})

it('an event of a known type with a raw body is sent as it is', async () => {
  const { engine, work, sender } = await world()
  await engine.publish({ ...CREATED, raw: { body: '<a/>', contentType: 'text/xml' } })
  await work()
  expect(sender.requests[0]?.body).toBe('<a/>')
})

describe('defineEvents', () => {
  const schema = z.object({ id: z.string() })
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  it.each<[string, unknown, string]>([
    ['no object', null, 'takes an object of events by type; found null'],
    ['a list', [], 'takes an object of events by type; found a list'],
    ['a name with a space', { 'a b': { schema } }, 'a type must be at most 16 identifiers'],
    ['a long name', { ['a'.repeat(129)]: { schema } }, 'a type must be at most 16 identifiers'],
    ['a pattern', { 'message.*': { schema } }, 'a type must be at most 16 identifiers'],
    ['a reserved name', { 'keepsend.endpoint': { schema } }, 'types that begin with keepsend. are'],
    ['a definition of null', { a: null }, 'a: event takes an object of options; found null'],
    ['no schema', { a: {} }, 'schema of a must follow Standard Schema'],
    ['a schema of no standard', { a: { schema: { parse() {} } } }, 'schema of a must follow Standard Schema'],
    ['an unknown property', { a: { schema, exmple: {} } }, 'a: event has no option exmple; did you mean example?'],
    ['a description of a number', { a: { schema, description: 5 } }, 'a: description must be a text; found a number'],
    ['a long description', { a: { schema, description: 'x'.repeat(1001) } }, 'has 1001 characters; at most 1000'],
    [
      'an example that does not fit',
      { a: { schema, example: { id: 1 } } },
      'example of a does not fit its schema: id: ',
    ],
    ['an example that is null', { a: { schema, example: null } }, 'example of a does not fit its schema: '],
    [
      'a long example',
      { a: { schema, example: { id: 'x'.repeat(10_000) } } },
      'example of a has 10009 characters as JSON; at most 10000',
    ],
    [
      'a JSON Schema that is a circle',
      { a: { schema, jsonSchema: circle } },
      'jsonSchema of a must be an object that JSON',
    ],
    [
      'too many types',
      Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`t${n}`, { schema }])),
      'at most 1000 types of events; found 1001',
    ],
  ])('refuses %s', (_, events, message) => {
    expect(() => defineEvents(events as Parameters<typeof defineEvents>[0])).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(message) }),
    )
  })

  it('takes each property as undefined for its default', async () => {
    const none = { description: undefined, example: undefined, deprecated: undefined, jsonSchema: undefined }
    const { engine } = await rig({ catalog: defineEvents({ a: event({ schema, ...none }) }) })
    const { engine: plain } = await rig({ catalog: defineEvents({ a: event({ schema }) }) })
    expect(engine.eventTypes()).toEqual(plain.eventTypes())
  })

  it('makes the only catalog that createEngine takes, and its mode is one of three', async () => {
    const wrong = { catalog: { events: {} } } as Partial<EngineOptions>
    await expect(rig(wrong)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('defineEvents'),
    })
    await expect(rig({ catalog, validation: 'strict' as 'off' })).rejects.toMatchObject({
      code: 'invalid_option',
      message: 'validation must be one of refuse, warn, off; found "strict"',
    })
  })
})
