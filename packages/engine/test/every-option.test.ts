import { type OutboxDatabase, type Statement, lookAtLanes, toSql } from '@keepsend/outbox'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import Database from 'better-sqlite3'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { everyOption, everyWrongValue, optionsWith, optionsWithout } from '../../../test/options.ts'
import {
  type Engine,
  type ErasureInput,
  type ReplayInput,
  commitWithEvents,
  createEngine,
  createWebCryptoSigner,
  keepsend,
  migrateEngine,
  newSecret,
  reencryptSecrets,
  silentLogger,
} from '../src/index.ts'
import { createCheckUrl } from '../src/internal.ts'
import { OPTION_NAMES } from './option-names.ts'
import { readOptions } from '../src/lib/options.ts'
import { TEST_KEYS } from './rig.ts'

type Owner = keyof typeof OPTION_NAMES

/** An engine on SQLite in memory with one endpoint and one key, and its statements from now on. */
async function world() {
  const connection = new Database(':memory:')
  const direct = fromBetterSqlite(connection)
  await migrateEngine(direct)
  // A fixed time.
  connection.exec('drop view keepsend_clock; create view keepsend_clock as select 1790000000000 as ms')
  const asked: Statement[] = []
  const db: OutboxDatabase = {
    dialect: direct.dialect,
    run: (statement) => {
      asked.push(statement)
      return direct.run(statement)
    },
    atomic: (statements) => {
      asked.push(...statements)
      return direct.atomic(statements)
    },
  }
  const engine = createEngine({
    db,
    queue: { async send() {} },
    secrets: 'plaintext-for-development',
    history: true,
    logger: silentLogger,
  })
  const { endpoint } = await engine.endpoints.create('w', ENDPOINT)
  await engine.endpoints.rotateSecret('w', endpoint.id)
  const { id: keyId } = await engine.apiKeys.create({ workspaceId: 'w', expiresInMs: 1000 })
  const { link, token } = await engine.portalLinks.create('w')
  connection.exec(`insert into keepsend_problems (endpoint_id, error_class, http_status, workspace_id, state_since,
      first_seen_at, last_seen_at, attempts, deliveries, last_error, last_delivery_id)
    select '${endpoint.id}', 'dns', 0, 'w', ms, ms, ms, 1, 1, 'dns', 'evt' from keepsend_clock`)
  // In another workspace, so that the lists of this one have no ids.
  const { endpoint: other } = await engine.endpoints.create('x', ENDPOINT)
  const ids: string[] = []
  for (const status of ['failed', 'pending']) {
    const { eventId } = await engine.publish({ ...event, workspaceId: 'x', channels: ['c'] })
    ids.push(`${eventId}.${other.id}`)
    if (status === 'failed')
      connection.exec(`update pending_events set status = 'failed', completed_at = 1, due_at = null, ready = 0`)
  }
  const [failedId = '', waitingId = ''] = ids
  asked.length = 0
  return { db, engine, endpointId: endpoint.id, keyId, linkId: link.id, token, failedId, waitingId, asked }
}

type World = Awaited<ReturnType<typeof world>>

const ENDPOINT = {
  url: 'https://example.com/',
  description: 'd',
  eventTypes: ['a.b'],
  channels: ['c'],
  retrySchedule: [1],
  deadlineMs: 2000,
  headers: { 'x-own': '1' },
  retryStatuses: [404],
  signatures: ['v1'],
  compatSignature: { header: 'x-old', format: 'sha256' },
  eventTypeHeader: 'x-type',
  filter: { type: { $exist: true } },
  uid: 'crm-1',
  metadata: { plan: 'pro' },
  concurrency: 2,
  rateLimit: 3,
  ratePeriod: 'minute',
} as const

const secret = newSecret()
const urls = [
  'https://example.com/',
  'http://example.com/',
  'https://example.com:1/',
  'https://10.0.0.1/',
  'https://a.internal/',
  'http://localhost:4000/',
]

/** The required options of each function that has any. */
const REQUIRED = {
  createEngine: { db: true, queue: true, secrets: true },
  reencryptSecrets: { db: true, secrets: true },
  commitWithEvents: { writes: true, events: true, response: true },
  'engine.commit': { writes: true, events: true },
  'apiKeys.create': { workspaceId: true },
  'an event': { type: true, workspaceId: true, data: true },
  'an endpoint': { url: true, 'compatSignature.header': true },
  'an endpoint by its uid': { url: true, 'compatSignature.header': true },
  'endpoints.list': { limit: true },
  'endpoints.endSecret': { version: true },
  'workspaces.list': { limit: true },
  'deliveries.list': { limit: true },
  'attempts.list': { limit: true },
  'problems.list': { limit: true },
  'audit.list': { limit: true },
  'replays.list': { limit: true },
  'erasures.list': { limit: true },
  'an erasure of event': { workspaceId: true, what: true, eventId: true },
  'an erasure of endpoint': { workspaceId: true, what: true, endpointId: true },
  'an erasure of range': { workspaceId: true, what: true, until: true },
  'an erasure of workspace': { workspaceId: true, what: true },
  eraseStatements: { workspaceId: true, eventId: true },
  'a replay of failed': { what: true },
  'a replay of delivered': { what: true },
  'a replay of missed': { what: true, endpointId: true },
  'a replay of matching': { what: true },
  'a replay of ids': { what: true, ids: true },
  'statistics.series': { by: true, since: true },
  'statistics.summary': { since: true, endpointIds: true },
  'deliveries.listEvents': { limit: true },
  // A search without its path, or with neither value nor prefix, is refused.
  'events.list': { limit: true, 'search.path': true, 'search.value': true, 'search.prefix': true },
}

const CALLS: Record<Owner, (world: World, options: object) => unknown> = {
  createEngine: ({ db }, options) => {
    const queue = { send: async () => {} }
    const { db: _db, queue: _queue, ...read } = readOptions({ db, queue, secrets: TEST_KEYS, ...options })
    return read
  },
  createCheckUrl: (_world, options) => urls.map((url) => createCheckUrl(options)(url)),
  'the options of createCheckUrl': (_world, options) => urls.map((url) => createCheckUrl({}, options)(url)),
  createWebCryptoSigner: (_world, options) => createWebCryptoSigner(options)(secret, 'content'),
  reencryptSecrets: ({ db }, options) => reencryptSecrets({ db, secrets: TEST_KEYS, ...options }),
  commitWithEvents: async ({ engine }, options) => {
    const app = new Hono()
      .use(keepsend(engine))
      .post('/', (c) =>
        commitWithEvents(c, { writes: [], events: [event], response: { status: 200, body: 1 }, ...options }),
      )
    app.onError((error) => {
      throw error
    })
    const response = await app.request('/', { method: 'POST', headers: { 'idempotency-key': 'k' }, body: 'x' })
    return [response.status, await response.text()]
  },
  'engine.commit': async ({ engine }, options) => {
    const { eventIds, ...rest } = await engine.commit({ writes: [], events: [event], ...options })
    return { ...rest, events: eventIds.length }
  },
  'engine.worker.settle': ({ engine }, options) => engine.worker.settle([], options),
  'engine.sendTest': async ({ db, endpointId }, options) => {
    const sender = { send: async () => ({ kind: 'error', reason: 'network', message: 'down' }) as const }
    const made = {
      db,
      queue: { async send() {} },
      sender,
      secrets: 'plaintext-for-development',
      logger: silentLogger,
    } as const
    const {
      deliveryId: _id,
      endpointId: _of,
      totalUs: _took,
      ...test
    } = await createEngine(made).sendTest('w', endpointId, options)
    return test
  },
  'engine.eventTypes': ({ engine }, options) => engine.eventTypes(options),
  'engine.publishTest': async ({ engine, endpointId }, options) =>
    void (await engine.publishTest('w', endpointId, options)),
  'engine.worker.resumeHeld': ({ engine }, options) => engine.worker.resumeHeld(options),
  'engine.worker.stepReplays': ({ engine }, options) => engine.worker.stepReplays(options),
  'a replay of failed': ({ engine }, options) => planned(engine, { what: 'failed', ...options }),
  'a replay of delivered': ({ engine }, options) => planned(engine, { what: 'delivered', ...options }),
  'a replay of missed': ({ engine, endpointId }, options) =>
    planned(engine, { what: 'missed', endpointId, ...options }),
  'a replay of matching': ({ engine }, options) => planned(engine, { what: 'matching', ...options }),
  'a replay of ids': ({ engine }, options) => planned(engine, { what: 'ids', ids: ['evt_1.ep_1'], ...options }),
  'replays.list': ({ engine }, options) => engine.replays.list('w', { limit: 5, ...options }),
  'engine.worker.stepErasures': ({ engine }, options) => engine.worker.stepErasures(options),
  'an erasure of event': ({ engine }, options) =>
    covered(engine, { workspaceId: 'w', what: 'event', eventId: NOBODYS_EVENT, ...options }),
  'an erasure of endpoint': ({ engine }, options) =>
    covered(engine, { workspaceId: 'w', what: 'endpoint', endpointId: 'ep_none', ...options }),
  'an erasure of range': ({ engine }, options) =>
    covered(engine, { workspaceId: 'w', what: 'range', until: 5, ...options }),
  'an erasure of workspace': ({ engine }, options) =>
    covered(engine, { workspaceId: 'none', what: 'workspace', ...options }),
  'the options of erase': async ({ engine }, options) =>
    (await engine.erase({ workspaceId: 'w', what: 'range', until: 5 }, options)).planned,
  eraseStatements: ({ engine }, options) =>
    engine.eraseStatements({ workspaceId: 'w', eventId: NOBODYS_EVENT, ...options }).length,
  'erasures.list': ({ engine }, options) => engine.erasures.list('w', { limit: 5, ...options }),
  'apiKeys.create': async ({ engine }, options) => {
    await engine.apiKeys.create({ workspaceId: 'v', ...options })
    return (await engine.apiKeys.list('v')).map(({ name, scopes, expiresAt }) => ({ name, scopes, expiresAt }))
  },
  'apiKeys.list': async ({ engine }, options) => (await engine.apiKeys.list('w', options)).map(({ name }) => name),
  'apiKeys.revoke': ({ engine, keyId }, options) => engine.apiKeys.revoke('w', keyId, options),
  'apiKeys.rotate': async ({ engine, keyId }, options) => void (await engine.apiKeys.rotate('w', keyId, options)),
  'portalLinks.create': async ({ engine }, options) => {
    const { link } = await engine.portalLinks.create('v', options)
    return { ...link, id: '' }
  },
  'portalLinks.list': async ({ engine }, options) =>
    (await engine.portalLinks.list('w', options)).rows.map(({ state }) => state),
  'portalLinks.revoke': async ({ engine, linkId }, options) =>
    (await engine.portalLinks.revoke('w', linkId, options)).state,
  'portalLinks.open': async ({ engine, token }, options) => (await engine.portalLinks.open(token, options))?.link.state,
  'an event': async ({ engine }, options) => {
    const { deliveries } = await engine.publish({ ...event, ...options })
    return deliveries
  },
  'endpoints.list': async ({ engine }, options) =>
    (await engine.endpoints.list('w', { limit: 5, ...options })).map(({ url }) => url),
  'deliveries.list': ({ engine }, options) => engine.deliveries.list('w', { limit: 5, ...options }),
  'workspaces.list': ({ engine }, options) => engine.workspaces.list({ limit: 5, ...options }),
  'workspaces.setRetention': ({ engine }, options) => engine.workspaces.setRetention('w', options),
  'the options of workspaces.setRetention': ({ engine }, options) => engine.workspaces.setRetention('w', null, options),
  'audit.list': async ({ engine }, options) =>
    (await engine.audit.list('w', { limit: 5, ...options })).rows.map(({ verb }) => verb).toSorted(),
  'engine.export': async ({ engine }, options) => {
    const lines: string[] = []
    for await (const line of engine.export('x', options)) lines.push(...line.split(','))
    return lines.length
  },
  'attempts.list': ({ engine }, options) => engine.attempts.list('w', { limit: 5, ...options }),
  'problems.list': async ({ engine }, options) =>
    (await engine.problems.list('w', { limit: 5, ...options })).rows.map(({ attempts }) => attempts),
  'problems.acknowledge': async ({ engine, endpointId }, options) =>
    (await engine.problems.acknowledge('w', `prb_${endpointId}.dns.0`, options)).acknowledgedBy,
  'problems.resolve': async ({ engine, endpointId }, options) =>
    (await engine.problems.resolve('w', `prb_${endpointId}.dns.0`, options)).state,
  'statistics.series': ({ engine }, options) =>
    engine.statistics.series('w', { by: 'day', since: 1_790_000_000_000, ...options }),
  'statistics.summary': ({ engine }, options) =>
    engine.statistics.summary('w', { since: 1_790_000_000_000, endpointIds: ['ep_1'], ...options }),
  'deliveries.listEvents': ({ engine }, options) => engine.deliveries.listEvents('w', { limit: 5, ...options }),
  'events.list': ({ engine }, options) => engine.events.list('w', { limit: 5, ...options }),
  'an endpoint': async ({ engine }, options) => {
    const { endpoint } = await engine.endpoints.create('w', { url: ENDPOINT.url, ...options })
    const { id: _id, createdAt: _createdAt, updatedAt: _updatedAt, ...made } = endpoint
    return made
  },
  'endpoints.create': async ({ engine }, options) =>
    (await engine.endpoints.create('w', { url: ENDPOINT.url }, options)).endpoint.url,
  'an endpoint by its uid': async ({ engine }, options) => {
    const { endpoint } = await engine.endpoints.upsert('w', 'own-1', { url: ENDPOINT.url, ...options })
    const { id: _id, createdAt: _createdAt, updatedAt: _updatedAt, ...made } = endpoint
    return made
  },
  'endpoints.upsert': async ({ engine }, options) =>
    void (await engine.endpoints.upsert('w', 'own-1', { url: ENDPOINT.url }, options)),
  'endpoints.update': async ({ engine, endpointId }, options) =>
    void (await engine.endpoints.update('w', endpointId, {}, options)),
  'endpoints.delete': ({ engine, endpointId }, options) => engine.endpoints.delete('w', endpointId, options),
  'endpoints.setStatus': async ({ engine, endpointId }, options) =>
    void (await engine.endpoints.setStatus('w', endpointId, 'enabled', options)),
  'endpoints.resume': async ({ engine, endpointId }, options) =>
    void (await engine.endpoints.resume('w', endpointId, options)),
  'endpoints.pause': async ({ engine, endpointId }, options) =>
    void (await engine.endpoints.pause('w', endpointId, options)),
  'endpoints.rotateSecret': async ({ engine, endpointId }, options) =>
    void (await engine.endpoints.rotateSecret('w', endpointId, options)),
  'endpoints.endSecret': ({ engine, endpointId }, options) =>
    engine.endpoints.endSecret('w', endpointId, { version: 1, ...options }),
  'endpoints.revealSecrets': async ({ engine, endpointId }, options) =>
    (await engine.endpoints.revealSecrets('w', endpointId, options)).length,
  'deliveries.replay': async ({ engine, failedId }, options) =>
    (await engine.deliveries.replay('x', failedId, options)).status,
  'deliveries.retryNow': async ({ engine, waitingId }, options) =>
    (await engine.deliveries.retryNow('x', waitingId, options)).status,
  'deliveries.giveUp': async ({ engine, waitingId }, options) =>
    (await engine.deliveries.giveUp('x', waitingId, options)).status,
  'the options of replays.create': async ({ engine, endpointId }, options) =>
    (await engine.replays.create('w', { what: 'failed', endpointId }, options)).planned,
}

const event = { type: 'a.b', workspaceId: 'w', data: {} }

const NOBODYS_EVENT = 'evt_01890000-0000-7000-8000-000000000000'

/** The plan of an erasure, whether it is made or not. */
async function covered(engine: Engine, input: ErasureInput): Promise<number> {
  return (await engine.erase(input)).planned
}

/** The plan of a replay, whether it is made or not. */
async function planned(engine: Engine, input: ReplayInput): Promise<number> {
  return (await engine.replays.create('w', input)).planned
}

/** The result of a function and its statements, without texts, which differ each time. */
async function observe(owner: Owner, options: object): Promise<unknown> {
  const made = await world()
  const answer = await CALLS[owner](made, options)
  const asked = made.asked.map((statement) => toSql(statement, 'sqlite'))
  const shown = asked.map(({ sql, params }) => [sql, params.map((one) => (typeof one === 'string' ? 'text' : one))])
  return { answer, shown }
}

/** Values that often come from a request. */
const CODES: Partial<Record<Owner, string>> = { 'an endpoint': 'invalid_endpoint', 'an event': 'invalid_event' }

describe('options', () => {
  it.each(everyOption(OPTION_NAMES, REQUIRED))(
    'every option given as undefined is its default: $path of $owner',
    async ({ owner, path }) => {
      const [part, name = ''] = path.split('.')
      const inCompat = owner.startsWith('an endpoint') && part === 'compatSignature' && name !== ''
      const defaults = inCompat ? { compatSignature: { header: 'x-old' } } : optionsWithout(path)
      const given = inCompat
        ? { compatSignature: { header: 'x-old', [name]: undefined } }
        : optionsWith(path, undefined)
      expect(await observe(owner, given)).toEqual(await observe(owner, defaults))
    },
  )

  it.each(Object.keys(OPTION_NAMES['an endpoint']))(
    'every part of a change given as undefined is not given: %s stays as it was',
    async (part) => {
      const { engine, endpointId } = await world()
      const before = await engine.endpoints.get('w', endpointId)
      const after = await engine.endpoints.update('w', endpointId, optionsWith(part, undefined))
      expect({ ...after, version: 1, updatedAt: 0 }).toEqual({ ...before, version: 1, updatedAt: 0 })
    },
  )

  it('an engine with every option undefined publishes, delivers, retries and signs like one without options', async () => {
    const { db } = await world()
    const none = Object.fromEntries(Object.keys(OPTION_NAMES.createEngine).map((name) => [name, undefined]))
    const sent: Record<string, string>[] = []
    const engine = createEngine({
      ...none,
      logger: silentLogger,
      db,
      queue: { async send() {} },
      secrets: TEST_KEYS,
      sender: {
        urlPolicy: undefined,
        async send({ headers }) {
          sent.push(headers)
          return { kind: 'error', reason: 'network', message: 'down' }
        },
      },
    })
    await engine.publish({
      type: 'a.b',
      workspaceId: 'w',
      data: {},
      id: undefined,
      channels: ['c'],
      timestamp: undefined,
    })
    const { lanes } = await lookAtLanes(db)
    const { claimed } = await engine.worker.settle([], {
      claim: {
        lanes: lanes.map((lane) => ({ ...lane, count: 5 })),
        due: undefined,
        leaseMs: undefined,
        now: undefined,
      },
    })
    const [claim] = claimed.claims
    expect(claim && (await engine.worker.deliver(claim, claim.claimedAt, { admitted: undefined }))).toMatchObject({
      kind: 'reschedule',
      delayMs: expect.any(Number),
    })
    expect(sent[0]).toMatchObject({ 'user-agent': 'Keepsend' })
    expect((await engine.routes.request('/endpoints')).status).toBe(401)
  })

  it('a value of another type is refused by the name of its option, and nothing is done', async () => {
    const made = await world()
    const wrong = everyWrongValue(OPTION_NAMES)
    expect(wrong.length).toBeGreaterThan(500)
    for (const { owner, path, value } of wrong) {
      const call = (async () => CALLS[owner](made, optionsWith(path, value)))()
      await expect(call, `${path} of ${owner} as ${typeof value}`).rejects.toMatchObject({
        code: CODES[owner] ?? 'invalid_option',
        message: expect.stringMatching(new RegExp(`^${path.replaceAll('.', '\\.')} must be .*; found `)),
      })
    }
    expect(made.asked).toEqual([])
  })

  it.each([
    ['logger', { info() {}, error() {} }, 'logger must have the methods info, warn, error; it has no warn'],
    ['logger', {}, 'logger must have the methods info, warn, error; it has no info, warn, error'],
    ['queue', {}, 'queue must have the methods send; it has no send'],
    ['sender', { send: true }, 'sender must have the methods send; it has no send'],
    ['db', { run() {} }, 'db must have the methods run, atomic; it has no atomic'],
  ])('an object that lacks a method is refused by the name of its option: %s as %j', async (option, value, message) => {
    const { db } = await world()
    const options = { db, queue: { send: async () => {} }, secrets: TEST_KEYS, [option]: value }
    expect(() => createEngine(options as Parameters<typeof createEngine>[0])).toThrow(
      expect.objectContaining({ code: 'invalid_option', message }),
    )
  })

  it.each(Object.keys(CALLS) as Owner[])(
    'an option that does not exist is refused by name, and nothing is done: %s',
    async (owner) => {
      const made = await world()
      const refused = {
        code: CODES[owner] ?? 'invalid_option',
        message: expect.stringContaining(`${owner} has no option colour`),
      }
      await expect((async () => CALLS[owner](made, { colour: 1 }))()).rejects.toMatchObject(refused)
      expect(made.asked).toEqual([])
    },
  )

  it('the error for a misspelt or misplaced option names the right one', async () => {
    const { db } = await world()
    const make = (options: object) => (): Engine =>
      createEngine({ db, queue: { async send() {} }, secrets: TEST_KEYS, ...options })
    expect(make({ urlPolcy: {} })).toThrow('createEngine has no option urlPolcy; did you mean urlPolicy?')
    expect(make({ allowHttp: true })).toThrow(
      'createEngine has no option allowHttp: it belongs in urlPolicy: { allowHttp }',
    )
    expect(make({ circuit: { deadlineMs: 1 } })).toThrow(
      'createEngine has no option circuit.deadlineMs: it belongs beside circuit',
    )
    expect(make({ urlPolicy: { allowHost: [] } })).toThrow(
      'createEngine has no option urlPolicy.allowHost; did you mean urlPolicy.allowHosts?',
    )
    // It was an option; the error lists `history`, which shows delivered deliveries now.
    expect(make({ keepCompleted: true })).toThrow(/^createEngine has no option keepCompleted; it has .*\bhistory\b/)
    expect(make({ retentionMs: 1 })).toThrow(
      'createEngine has no option retentionMs: it belongs in history: { retentionMs }',
    )
  })
})
