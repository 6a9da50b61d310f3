import { TEST_KEYS } from './keys.ts'
import { createExecutionContext, reset, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type Engine, type Sender, commitWithEvents, keepsend, migrateEngine, silentLogger } from '@keepsend/engine'
import { claimDueEvents } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { Hono } from 'hono'
import { beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { type CreateWorkerOptions, type KeepsendWorker, type WorkerBindings, createWorker } from '../../src/index.ts'
import { checkFlags } from '../../src/lib/compatibility-flags.ts'
import type { Env } from './worker.ts'
import { batchOf } from './rig.ts'

const SILENT = { logger: silentLogger }
const LOOPBACK = { urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' }, ...SILENT } as const

beforeEach(async () => {
  await reset()
  await migrateEngine(fromD1(env.DB))
})

function newWorker(options: Partial<CreateWorkerOptions<Env>> = {}): KeepsendWorker<Env> {
  return createWorker({
    bindings: (given: Env) => ({ db: given.DB, queue: given.WEBHOOKS, secrets: TEST_KEYS, engine: SILENT }),
    ...options,
  }) satisfies ExportedHandler<Env>
}

async function get(worker: KeepsendWorker<Env>, path: string, given: Env = env, init?: RequestInit): Promise<Response> {
  const context = createExecutionContext()
  const response = await worker.fetch(new Request(`http://app${path}`, init), given, context)
  await waitOnExecutionContext(context)
  return response
}

describe('bindings', () => {
  it('that are missing are named, with where to bind them and what is bound', async () => {
    const worker = newWorker({
      bindings: (given) => ({
        db: (given as Env & { DATABASE?: D1Database }).DATABASE,
        queue: given.WEBHOOKS,
        secrets: TEST_KEYS,
      }),
    })
    await expect(get(worker, '/webhooks/health')).rejects.toThrow(
      /^bindings\(env\)\.db is missing; not bound: env\.DATABASE\. Bind it in wrangler\.jsonc under d1_databases\. There are: .*DB/,
    )
  })

  it('without a queue are an error, not the inline mode', async () => {
    const worker = newWorker()
    await expect(get(worker, '/webhooks/health', { DB: env.DB } as Env)).rejects.toMatchObject({
      code: 'missing_binding',
      message: expect.stringContaining('env.WEBHOOKS'),
    })
    const scheduled = worker.scheduled({}, { DB: env.DB } as Env)
    await expect(scheduled).rejects.toMatchObject({ code: 'missing_binding' })
  })

  it('are read once for each environment', async () => {
    const bindings = vi.fn<(given: Env) => WorkerBindings>((given) => ({
      db: given.DB,
      queue: given.WEBHOOKS,
      secrets: TEST_KEYS,
    }))
    const worker = newWorker({ bindings })
    await Promise.all([get(worker, '/webhooks/health'), get(worker, '/webhooks/health')])
    await get(worker, '/webhooks/health')
    expect(bindings).toHaveBeenCalledTimes(1)
    await get(worker, '/webhooks/health', { ...env })
    expect(bindings).toHaveBeenCalledTimes(2)
  })
})

describe("the Worker's own names", () => {
  const OWN = ['api.example.com', 'app.acme.workers.dev', '*.tenants.example.com']
  const OWN_URLS = [
    'https://api.example.com/webhooks/events',
    'https://API.example.com./',
    'https://app.acme.workers.dev/',
    'https://4c1d2b3a-app.acme.workers.dev/',
    'https://one.tenants.example.com/',
  ]

  async function withEngine(settings: WorkerBindings['engine'] = {}): Promise<Engine> {
    let made: Engine | undefined
    const worker = newWorker({
      bindings: (given) => ({
        db: given.DB,
        queue: given.WEBHOOKS,
        secrets: TEST_KEYS,
        engine: { ...SILENT, ...settings },
      }),
      ownHostnames: OWN,
      app: ({ engine }) => {
        made = engine
        return engine.routes
      },
    })
    await get(worker, '/health')
    return made as Engine
  }

  it('are refused when an endpoint is created or changed, whatever else the policy allows', async () => {
    for (const settings of [{}, { urlPolicy: { allowHosts: ['api.example.com'], denyHosts: ['other.example.com'] } }]) {
      const engine = await withEngine(settings)
      const { endpoint } = await engine.endpoints.create('w', { url: 'https://elsewhere.example.com/' })
      for (const url of OWN_URLS) {
        const refused = { code: 'invalid_endpoint', message: 'address not allowed (blocked_address)' }
        await expect(engine.endpoints.create('w', { url }), url).rejects.toMatchObject(refused)
        await expect(engine.endpoints.update('w', endpoint.id, { url }), url).rejects.toMatchObject(refused)
      }
      for (const url of ['https://workers.dev/', 'https://app.other.workers.dev/', 'https://tenants.example.com/']) {
        await expect(engine.endpoints.create('w', { url }), url).resolves.toBeDefined()
      }
    }
    const engine = await withEngine({ urlPolicy: { denyHosts: ['other.example.com'] } })
    await expect(engine.endpoints.create('w', { url: 'https://other.example.com/' })).rejects.toThrow('not allowed')
  })

  it('are refused again at the attempt: no delivery comes back as a request', async () => {
    const sent: string[] = []
    const sender: Sender = {
      async send({ url }) {
        sent.push(url)
        return { kind: 'error', reason: 'network', message: 'not in this test' }
      },
    }
    const db = fromD1(env.DB)
    for (const url of OWN_URLS) {
      const engine = await withEngine({ sender })
      const { endpoint } = await engine.endpoints.create('w', { url: 'https://elsewhere.example.com/' })
      await engine.publish({ type: 'a', workspaceId: 'w', data: {} })
      // As if it had been inserted in another way, and the queue delivered its message.
      await db.run({ sql: 'update keepsend_endpoints set url = ?', params: [url] })
      await db.run({ sql: 'update pending_events set due_at = 0', params: [] })
      const { claims } = await claimDueEvents(db, { limit: 10 })
      expect(claims).toHaveLength(1)
      for (const row of claims) {
        expect(await engine.worker.deliver(row, row.claimedAt), url).toMatchObject({
          kind: 'reschedule',
          error: 'blocked_address: address not allowed',
        })
      }
      await db.run({ sql: 'delete from pending_events', params: [] })
      await engine.endpoints.delete('w', endpoint.id)
    }
    expect(sent).toEqual([])
  })
})

describe('global_fetch_strictly_public', () => {
  it('is on in this Worker, and without it no Worker starts', async () => {
    expect(() => checkFlags()).not.toThrow()
    expect(() => checkFlags({ compatibilityFlags: { global_fetch_strictly_public: true } })).not.toThrow()
    const ported = { global_fetch_strictly_public: true, allow_custom_ports: true }
    expect(() => checkFlags({ compatibilityFlags: ported })).not.toThrow()
    expect(() => checkFlags({ compatibilityFlags: { ...ported, allow_custom_ports: false } })).toThrow(
      /ignore_custom_ports/,
    )
    for (const compatibilityFlags of [{}, { global_fetch_strictly_public: false, nodejs_compat: true }]) {
      expect(() => checkFlags({ compatibilityFlags })).toThrow(
        expect.objectContaining({ code: 'missing_flag', message: expect.stringContaining('compatibility_flags') }),
      )
      vi.stubGlobal('Cloudflare', { compatibilityFlags })
      await expect(get(newWorker(), '/webhooks/health')).rejects.toMatchObject({ code: 'missing_flag' })
      vi.unstubAllGlobals()
    }
  })

  it('is checked if the runtime reports its flags', () => {
    for (const silent of [undefined, {}, { compatibilityFlags: undefined }])
      expect(() => checkFlags(silent)).not.toThrow()
  })
})

describe('the three handlers', () => {
  it('without an app the engine answers under /webhooks', async () => {
    expect((await get(newWorker(), '/webhooks/health')).status).toBe(200)
    expect((await get(newWorker(), '/elsewhere')).status).toBe(404)
  })

  it('an app commits its change and its event, and the message is sent after the response', async () => {
    const sent: unknown[] = []
    const queue = { sendBatch: async (messages: Iterable<unknown>) => void sent.push(...messages) }
    let endpointUrl = ''
    const worker = newWorker({
      bindings: (given) => ({ db: given.DB, queue, secrets: TEST_KEYS, engine: LOOPBACK }),
      app: ({ engine }) =>
        new Hono()
          .use(keepsend(engine))
          .post('/endpoints', async (c) => {
            endpointUrl = `${inject('receiver')}/hook/${crypto.randomUUID()}`
            return c.json(await engine.endpoints.create('w', { url: endpointUrl }))
          })
          .post('/things', (c) =>
            commitWithEvents(c, {
              writes: [],
              events: [{ type: 'thing.made', workspaceId: 'w', data: {} }],
              response: { status: 201, body: { made: true } },
            }),
          ),
    })
    await get(worker, '/endpoints', env, { method: 'POST' })
    expect((await get(worker, '/things', env, { method: 'POST' })).status).toBe(201)
    expect(sent).toMatchObject([{ body: { outboxId: expect.any(String), gen: expect.any(Number) } }])

    const batch = batchOf(sent.map((one) => (one as { body: unknown }).body))
    await worker.queue(batch, env)
    expect(batch.messages[0]?.fate).toBe('ack')
    const { arrivals } = await (await fetch(endpointUrl)).json<{ arrivals: unknown[] }>()
    expect(arrivals).toHaveLength(1)
  })

  it('messages of the dead-letter queue are settled, and nothing is sent', async () => {
    const db = fromD1(env.DB)
    const worker = newWorker({ deadLetterQueue: 'dead' })
    await db.run({
      sql: `insert into pending_events (id, workspace_id, event_type, endpoint_id, gen, created_at, payload)
        values ('e.ep', 'w', 't', 'ep', 1, 1, '{}')`,
      params: [],
    })
    const batch = batchOf([{ outboxId: 'e.ep', gen: 1 }], { queue: 'dead' })
    await worker.queue(batch, env)
    const { rows } = await db.run({ sql: 'select attempts, gen, last_error as error from pending_events', params: [] })
    expect(rows).toEqual([{ attempts: 1, gen: 2, error: 'dead_letter: the queue gave up on the message' }])
  })

  it('the cron rejects with its errors', async () => {
    await reset()
    const scheduled = newWorker().scheduled({}, env)
    await expect(scheduled).rejects.toThrow(/^the sweep failed in 6 of its parts$/)
  })
})
