import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { newEventId, toSql } from '@keepsend/outbox'
import {
  type EngineOptions,
  type EventCatalog,
  type WebhookEvent,
  commitWithEvents,
  createEngine,
  defineEvents,
  insertQueuedEvent,
  keepsend,
  silentLogger,
} from '../src/index.ts'
import { SENT, catalog, created } from './catalog-versions.ts'
import { type Rig, TEST_KEYS, rig, settled } from './rig.ts'

const LABELS = ['2026-01', '2026-03', '2026-05', '2026-11']

/** An engine with an endpoint of each label, by default, and what each has got, by its label. */
async function world(options: Parameters<typeof rig>[0] = {}, labels: readonly string[] = LABELS) {
  const made = await rig({ catalog, ...options })
  const endpoints = new Map<string, string>()
  for (const eventVersion of labels) {
    const { id } = await made.addEndpoint({ eventVersion, url: `https://${eventVersion}.example.com/` })
    endpoints.set(eventVersion, id)
  }
  return { ...made, endpoints, sent: () => sentOf(made) }
}

function sentOf({ sender }: Rig) {
  return sender.requests.map(({ url, headers, body }) => ({
    to: new URL(url).hostname.replace('.example.com', ''),
    version: headers['webhook-version'],
    data: (JSON.parse(body) as { data: unknown }).data,
  }))
}

const everyVersion = (labels: readonly string[] = LABELS) =>
  labels.map((label) => ({ to: label, version: label, data: SENT[label] }))

const byTo = (sent: ReturnType<typeof sentOf>) => sent.toSorted((one, other) => (one.to < other.to ? -1 : 1))

function everyWay({ engine, db }: Rig, one: WebhookEvent): Record<string, () => Promise<unknown>> {
  const app = new Hono().use(keepsend(engine))
  app.post('/', (c) => commitWithEvents(c, { writes: [], events: [one], response: { status: 200, body: null } }))
  app.onError((error) => {
    throw error
  })
  return {
    publish: () => engine.publish(one),
    commit: () => engine.commit({ writes: [], events: [one] }),
    publishStatements: async () => {
      const statements = engine.publishStatements({ ...one, id: newEventId() })
      await db.atomic(statements.map((statement) => toSql(statement, db.dialect.name)))
    },
    commitWithEvents: async () => app.request('/', { method: 'POST' }),
    'POST /events': async () => {
      const { key } = await engine.apiKeys.create({ workspaceId: 'w1' })
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const body = JSON.stringify({ type: one.type, data: one.data })
      const response = await engine.routes.request('/events', { method: 'POST', headers, body })
      if (!response.ok) throw Object.assign(new Error(), (await response.json()) as { code: string })
    },
  }
}

describe.each<[string, Partial<EngineOptions>]>([
  ['without history', {}],
  ['with history', { history: true }],
])('an event with versions, %s', (_, options) => {
  it('is sent to each endpoint in the version of its label, whichever way it is published', async () => {
    const made = await world(options)
    for (const [way, publish] of Object.entries(everyWay(made, created()))) {
      made.sender.requests.length = 0
      await publish()
      await made.work()
      expect(byTo(made.sent()), way).toEqual(everyVersion())
    }
  })

  it('stores each version once, however many endpoints have its label, and none that nobody has', async () => {
    const made = await world(options, ['2026-01', '2026-01', '2026-05', '2026-11', '2026-11'])
    await made.engine.publish(created())
    expect(await made.count('keepsend_payloads')).toBe(3)
    expect(new Set((await made.rows()).map(({ version, convertTo }) => `${version} ${convertTo}`))).toEqual(
      new Set(['2026-01 null', '2026-05 null', '2026-11 null']),
    )
    await made.work()
    expect(byTo(made.sent())).toEqual(everyVersion(['2026-01', '2026-01', '2026-05', '2026-11', '2026-11']))
  })

  it('is retried as it was sent first, and replayed after its failure so', async () => {
    let status = 500
    const made = await world({ ...options, answer: () => status, retrySchedule: [0] }, ['2026-01'])
    await made.engine.publish(created())
    await made.work()
    await made.work()
    status = 200
    const [row] = await made.rows()
    expect(row).toMatchObject({ status: 'failed', version: '2026-01' })
    await made.engine.deliveries.replay('w1', row?.id ?? '')
    await made.work()
    expect(made.sent()).toEqual([
      ...everyVersion(['2026-01']),
      ...everyVersion(['2026-01']),
      ...everyVersion(['2026-01']),
    ])
    expect(new Set(made.sender.requests.map(({ body }) => body)).size).toBe(1)
  })

  it('sends the same event again to those that got none, in their versions', async () => {
    const made = await world(options, ['2026-11'])
    const one = { ...created(), id: newEventId() }
    await made.engine.publish(one)
    await made.addEndpoint({ eventVersion: '2026-01', url: 'https://2026-01.example.com/' })
    await made.engine.publish(one)
    await made.work()
    expect(byTo(made.sent())).toEqual(everyVersion(['2026-01', '2026-11']))
  })

  it('that was sent to the queue without rows gets them later, and workers convert it', async () => {
    const made = await world(options)
    await made.readOnly(true)
    expect(await made.engine.publish(created())).toMatchObject({ accepted: false })
    await settled()
    await made.readOnly(false)
    const message = made.messages.find(({ outboxId }) => outboxId === undefined)
    expect(message?.version).toEqual({ label: '2026-11', oldest: '2026-01' })
    const recordsEvents = options.history === true
    await insertQueuedEvent({ db: made.db, rowsStart: 'now', recordsEvents }, message ?? { type: '', workspaceId: '' })
    await made.work()
    expect(byTo(made.sent())).toEqual(everyVersion())
  })
})

describe('a type that is the same in every version', () => {
  it('is sent with the label of each endpoint, without a copy and a look', async () => {
    let reads = 0
    const made = await world({
      wrap: (db) => ({
        ...db,
        run: (statement) => {
          if (/^\s*select/i.test(toSql(statement, db.dialect.name).sql)) reads++
          return db.run(statement)
        },
      }),
    })
    reads = 0
    await made.engine.publish({ type: 'message.deleted', workspaceId: 'w1', data: { id: 'm1' } })
    const look = reads
    await made.work()
    expect(byTo(made.sent())).toEqual(LABELS.map((label) => ({ to: label, version: label, data: { id: 'm1' } })))
    expect(await made.rows()).toEqual([])
    // The waiting rows of the workspace are counted.
    expect(look).toBeLessThanOrEqual(1)
  })
})

describe('a converter that throws', () => {
  it('refuses the publish whichever way, names itself, and writes nothing', async () => {
    const made = await world({}, ['2026-01', '2026-11'])
    for (const [way, publish] of Object.entries(everyWay(made, created('throw')))) {
      await expect(publish(), way).rejects.toMatchObject({ code: 'invalid_option' })
    }
    await expect(made.engine.publish(created('throw'))).rejects.toMatchObject({
      code: 'invalid_option',
      message: 'the converter of message.created to version 2026-01 threw (RangeError): correct it',
    })
    await expect(made.engine.commit({ writes: [], events: [created(), created('throw')] })).rejects.toThrow(
      /^events\[1\]: the converter of message\.created/,
    )
    expect([await made.count('pending_events'), await made.count('keepsend_payloads')]).toEqual([0, 0])
    expect(JSON.stringify(made.log.entries)).not.toContain('the text of a message')
  })

  it('is not called where no endpoint of the workspace has its version', async () => {
    const made = await world({}, ['2026-05', '2026-11'])
    await made.addEndpoint({ workspaceId: 'w2', eventVersion: '2026-01' })
    for (const [way, publish] of Object.entries(everyWay(made, created('throw')))) {
      await expect(publish(), way).resolves.not.toThrow()
    }
    expect(await made.count('pending_events')).toBe(10)
  })

  it('refuses publishStatements as long as the labels of the workspace are not known', async () => {
    const made = await world({}, ['2026-11'])
    const engine = createEngine({ db: made.db, queue: { async send() {} }, secrets: TEST_KEYS, catalog })
    const publish = () => engine.publishStatements({ ...created('throw'), type: 'message.created' } as never)
    expect(publish).toThrow(/^the converter of message\.created to version 2026-01 threw/)
    await expect
      .poll(() =>
        Promise.resolve()
          .then(publish)
          .then(
            () => 'known',
            () => 'unknown',
          ),
      )
      .toBe('known')
  })
})

describe('a converted copy that does not fit the schema of its version', () => {
  const data = { id: 'm1', text: 'hello', author: { id: '', name: 'Ann' } }
  const misfit = { type: 'message.created', workspaceId: 'w1', data }

  it('is refused', async () => {
    const { engine, count } = await world({}, ['2026-05'])
    await expect(engine.publish(misfit)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(
        /^the converter of message\.created to version 2026-05 returned data that does not fit its schema: authorId: /,
      ),
    })
    expect(await count('pending_events')).toBe(0)
  })

  it.each([
    ['logged and sent where the catalog warns', 'warn', 1],
    ['sent where the catalog validates nothing', 'off', 0],
  ] as const)('is %s', async (_, validation, lines) => {
    const made = await world({ validation }, ['2026-05'])
    await made.engine.publish(misfit)
    await made.work()
    expect(made.sent().map((one) => one.data)).toEqual([{ id: 'm1', text: 'hello', authorId: '' }])
    expect(made.log.entries.filter(({ level }) => level === 'warn')).toHaveLength(lines)
  })
})

describe('the version of an endpoint', () => {
  it('is the newest when it is made, and can be set then and later', async () => {
    const { engine } = await rig({ catalog })
    const url = 'https://example.com/'
    const { endpoint } = await engine.endpoints.create('w1', { url })
    expect(endpoint.eventVersion).toBe('2026-11')
    expect((await engine.endpoints.create('w1', { url, eventVersion: '2026-03' })).endpoint.eventVersion).toBe(
      '2026-03',
    )
    expect((await engine.endpoints.update('w1', endpoint.id, { eventVersion: '2026-01' })).eventVersion).toBe('2026-01')
    expect((await engine.endpoints.update('w1', endpoint.id, { description: 'x' })).eventVersion).toBe('2026-01')
    const { endpoint: upserted } = await engine.endpoints.upsert('w1', 'u1', { url, eventVersion: '2026-05' })
    expect(upserted.eventVersion).toBe('2026-05')
    expect((await engine.endpoints.list('w1', { limit: 10 })).map(({ eventVersion }) => eventVersion)).toEqual([
      '2026-01',
      '2026-03',
      '2026-05',
    ])
  })

  it('must be a label of the catalog', async () => {
    const { engine } = await rig({ catalog })
    const plain = await rig()
    const input = { url: 'https://example.com/', eventVersion: '2025-01' }
    await expect(engine.endpoints.create('w1', input)).rejects.toMatchObject({
      code: 'invalid_endpoint',
      message: 'eventVersion must be one of 2026-01, 2026-03, 2026-05, 2026-11; found "2025-01"',
    })
    await expect(plain.engine.endpoints.create('w1', input)).rejects.toMatchObject({
      code: 'invalid_endpoint',
      message: expect.stringContaining('the catalog of this server has no versions'),
    })
    expect((await plain.engine.endpoints.create('w1', { url: input.url })).endpoint.eventVersion).toBeNull()
  })

  it('is the oldest if it was made without one, and the newest if the catalog does not have it', async () => {
    const made = await world({}, ['2026-03', '2026-05'])
    await made.exec(`update keepsend_endpoints set event_version = null where event_version = '2026-03'`)
    await made.exec(`update keepsend_endpoints set event_version = '2025-01' where event_version = '2026-05'`)
    await made.engine.publish(created())
    await made.work()
    expect(byTo(made.sent())).toEqual([
      { to: '2026-03', version: '2026-01', data: SENT['2026-01'] },
      { to: '2026-05', version: '2026-11', data: SENT['2026-11'] },
    ])
  })

  it('that changes between look and commit is that of the commit; a later change changes nothing', async () => {
    let change: (() => Promise<unknown>) | undefined
    const made = await world(
      {
        wrap: (db) => ({
          ...db,
          atomic: async (statements) => {
            const now = change
            change = undefined
            await now?.()
            return db.atomic(statements)
          },
          run: async (statement) => {
            const now = /insert into pending_events/.test(toSql(statement, db.dialect.name).sql) ? change : undefined
            if (now) change = undefined
            await now?.()
            return db.run(statement)
          },
        }),
      },
      ['2026-11'],
    )
    const other = createEngine({
      db: made.db,
      queue: { async send() {} },
      secrets: TEST_KEYS,
      catalog,
      logger: silentLogger,
    })
    const id = made.endpoints.get('2026-11') ?? ''
    change = () => other.endpoints.update('w1', id, { eventVersion: '2026-01' })
    await made.engine.publish(created())
    await other.endpoints.update('w1', id, { eventVersion: '2026-05' })
    expect(await made.rows()).toMatchObject([{ version: '2026-11', convertTo: '2026-01' }])
    await made.work()
    expect(made.sent()).toEqual([{ to: '2026-11', version: '2026-01', data: SENT['2026-01'] }])
  })
})

describe('a delivery that its worker has to convert', () => {
  /** A worker of its own, whose engine has this catalog, and the one delivery that it gets. */
  async function unconverted(of: EventCatalog | undefined, { deferrals = 0 } = {}) {
    const made = await world({}, ['2026-11'])
    await made.engine.publish(created('throw'))
    await made.exec(`update pending_events set convert_to = '2026-01', deferrals = ${deferrals}`)
    return rig({ on: made, catalog: of })
  }

  it.each<[string, EventCatalog | undefined, string]>([
    ['the converter throws', catalog, 'the converter of message.created to version 2026-01 threw'],
    ['its catalog has no versions', undefined, 'this engine has no catalog with versions'],
    ['its catalog is another', defineEvents({}, { versions: ['2026-01'] }), 'the payload has version 2026-11'],
  ])('waits without an attempt if %s, and the log says why', async (_, of, error) => {
    const { work, sender, log, rows } = await unconverted(of)
    expect(await work()).toMatchObject([
      { kind: 'reschedule', deferral: true, error: expect.stringMatching(/^conversion_failed: /) },
    ])
    expect(await rows()).toMatchObject([{ attempts: 0, lastError: expect.stringMatching(/^conversion_failed: /) }])
    expect(sender.requests).toEqual([])
    expect(log.entries).toMatchObject([{ level: 'error', fields: { error: expect.stringContaining(error) } }])
    expect(JSON.stringify(log.entries)).not.toContain('the text of a message')
  })

  it('counts attempts, and fails at last, if it still cannot be converted after many waits', async () => {
    const { work, rows } = await unconverted(undefined, { deferrals: 100 })
    await work()
    expect(await rows()).toMatchObject([{ status: 'pending', attempts: 1 }])
  })
})

describe('a filter', () => {
  const filter = { 'data.user': 'u1' }

  it('sees the body in the version of its endpoint, from an engine that knows it and from one that does not', async () => {
    const made = await world({}, [])
    await made.addEndpoint({ eventVersion: '2026-01', filter, url: 'https://2026-01.example.com/' })
    await made.addEndpoint({ eventVersion: '2026-05', filter, url: 'https://2026-05.example.com/' })
    expect(await made.engine.publish(created())).toMatchObject({ deliveries: 2 })
    await made.work()
    expect(made.sent()).toEqual(everyVersion(['2026-01']))
    await expect.poll(async () => (await made.engine.publish(created())).deliveries).toBe(1)
    expect((await made.rows()).at(-1)).toMatchObject({ filter: null, version: '2026-01' })
  })

  it('is evaluated by the worker if the version of its endpoint has changed since it was known', async () => {
    const made = await world({}, [])
    const { id } = await made.addEndpoint({ eventVersion: '2026-05', filter, url: 'https://2026-01.example.com/' })
    await made.engine.publish(created())
    await expect.poll(async () => (await made.engine.publish(created())).deliveries).toBe(0)
    await made.engine.endpoints.update('w1', id, { eventVersion: '2026-01' })
    expect(await made.engine.publish(created())).toMatchObject({ deliveries: 1 })
    await made.work()
    expect(made.sent()).toEqual(everyVersion(['2026-01']))
  })

  it('is compared with an event in that version', async () => {
    const { engine } = await rig({ catalog })
    const input = { url: 'https://example.com/', filter }
    const { endpoint } = await engine.endpoints.create('w1', { ...input, eventVersion: '2026-01' })
    const { workspaceId: _, ...one } = created()
    expect(await engine.endpoints.matchEvent('w1', endpoint.id, one)).toMatchObject({ matches: true })
    await engine.endpoints.update('w1', endpoint.id, { eventVersion: '2026-11' })
    expect(await engine.endpoints.matchEvent('w1', endpoint.id, one)).toMatchObject({ reason: 'filter' })
    await engine.endpoints.update('w1', endpoint.id, { eventVersion: '2026-01' })
    await expect(engine.endpoints.matchEvent('w1', endpoint.id, { ...one, data: {} } as never)).rejects.toMatchObject({
      code: 'invalid_event',
    })
  })
})

describe('webhook-version', () => {
  it('is on tests, and not on raw bodies, operational webhooks and events of an engine without versions', async () => {
    const made = await world({ operatorWorkspaceId: 'w1', answer: () => 500, retrySchedule: [] }, ['2026-03'])
    const id = made.endpoints.get('2026-03') ?? ''
    await made.engine.endpoints.update('w1', id, { eventTypes: ['*', 'keepsend.*'] })
    await made.engine.publishTest('w1', id)
    await made.work()
    expect(await made.engine.sendTest('w1', id)).toMatchObject({ outcome: 'failed' })
    const raw = { body: '{}', contentType: 'application/json' }
    await made.engine.publish({ type: 'message.created', workspaceId: 'w1', raw })
    await made.work()
    await made.work()
    const versions = made.sender.requests.map(({ body, headers }) => [
      (JSON.parse(body) as { type?: string }).type,
      headers['webhook-version'],
    ])
    expect(versions.filter(([type]) => type === 'test')).toEqual([
      ['test', '2026-03'],
      ['test', '2026-03'],
    ])
    expect(versions).toContainEqual([undefined, undefined])
    expect(versions).toContainEqual(['keepsend.delivery.failed', undefined])
    const plain = await rig()
    await plain.addEndpoint()
    await plain.engine.publish(created())
    await plain.work()
    expect(plain.sender.requests[0]?.headers).not.toHaveProperty('webhook-version')
  })

  it('cannot be a header of the endpoint', async () => {
    const { engine } = await rig({ catalog })
    const input = { url: 'https://example.com/', headers: { 'Webhook-Version': '1' } }
    await expect(engine.endpoints.create('w1', input)).rejects.toMatchObject({ code: 'invalid_endpoint' })
  })
})

it('numbers that a converter does not change are sent with the digits as written', async () => {
  const made = await world({ validation: 'off' }, ['2026-01', '2026-05'])
  const { key } = await made.engine.apiKeys.create({ workspaceId: 'w1' })
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body =
    '{"type":"message.created","data":{"id":12345678901234567890,"text":1.50,"author":{"id":9007199254740993}}}'
  await made.engine.routes.request('/events', { method: 'POST', headers, body })
  await made.work()
  expect(made.sender.requests.map((request) => request.body.slice(request.body.indexOf('"data"'))).toSorted()).toEqual([
    '"data":{"id":12345678901234567890,"body":1.5,"user":9007199254740992}}',
    '"data":{"id":12345678901234567890,"text":1.50,"authorId":9007199254740992}}',
  ])
})
