import { createExecutionContext, reset, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type Engine, keepsend, migrateEngine, silentLogger } from '@keepsend/engine'
import { fromD1 } from '@keepsend/outbox/d1'
import { Hono } from 'hono'
import { beforeEach, describe, expect, inject, it, onTestFinished, vi } from 'vitest'
import { type CreateWorkerOptions, type WorkerBindings, createWorker } from '../../src/index.ts'
import { TEST_KEYS } from './keys.ts'
import { batchOf } from './rig.ts'
import type { Env } from './worker.ts'

beforeEach(async () => {
  await reset()
  await migrateEngine(fromD1(env.DB))
})

/** Each line that is written by console, with the method that wrote it, until the test is over. */
function consoleLines(): { method: string; line: Record<string, unknown> }[] {
  const lines: { method: string; line: Record<string, unknown> }[] = []
  for (const method of ['debug', 'error', 'info', 'log', 'warn'] as const) {
    const spy = vi.spyOn(console, method).mockImplementation((line: unknown) => {
      lines.push({ method, line: JSON.parse(String(line)) as Record<string, unknown> })
    })
    onTestFinished(() => spy.mockRestore())
  }
  return lines
}

/** A Worker that was asked for something, its engine, and what its queue was sent. */
async function start(options: Partial<CreateWorkerOptions<Env>>, engineOptions: WorkerBindings['engine'] = {}) {
  const sent: { body: unknown }[] = []
  const queue = { sendBatch: async (messages: Iterable<{ body: unknown }>) => void sent.push(...messages) }
  const made: Engine[] = []
  const worker = createWorker<Env>({
    bindings: (given) => ({ db: given.DB, queue, secrets: TEST_KEYS, engine: engineOptions }),
    app: ({ engine }) => {
      made.push(engine)
      return new Hono().use(keepsend(engine)).route('/webhooks', engine.routes)
    },
    ...options,
  })
  const context = createExecutionContext()
  for (let n = 0; n < 2; n++) await worker.fetch(new Request('http://app/webhooks/health'), env, context)
  await waitOnExecutionContext(context)
  const [engine] = made
  if (!engine) throw new Error('no engine was made')
  return {
    engine,
    /** Publishes so many events, and gives the messages of the queue to the consumer. */
    deliver: async (count = 1) => {
      const dispatched: Promise<void>[] = []
      const events = Array.from({ length: count }, () => ({ type: 'a.b', workspaceId: 'w', data: {} }))
      await engine.commit({ writes: [], events, background: (work) => void dispatched.push(work) })
      await Promise.all(dispatched)
      await worker.queue(batchOf(sent.splice(0).map(({ body }) => body)), env)
    },
  }
}

const hookAt = (host: string) => `${inject('receiver').replace('127.0.0.1', host)}/hook/${crypto.randomUUID()}`

async function arrivalsAt(url: string): Promise<number> {
  return (await (await fetch(url)).json<{ arrivals: unknown[] }>()).arrivals.length
}

/** The lines of actions, with which each test begins, are not what these tests are about. */
const isNoAction = ({ line }: { line: unknown }): boolean => !JSON.stringify(line).includes('action recorded')

describe('a Worker with development', () => {
  it('delivers to a receiver on the loopback interface, and logs one warning', async () => {
    const lines = consoleLines()
    const { engine, deliver } = await start({ development: true })
    const urls = [hookAt('127.0.0.1'), hookAt('localhost')]
    for (const url of urls) await engine.endpoints.create('w', { url })
    await deliver()
    expect(await Promise.all(urls.map(arrivalsAt))).toEqual([1, 1])
    expect(lines.filter(isNoAction)).toEqual([
      {
        method: 'warn',
        line: { level: 'warn', message: expect.stringMatching(/^development: true .*never use it in production$/) },
      },
    ])
  })

  it('refuses other private networks, http to a public host, and its own names', async () => {
    const { engine } = await start({ development: true, ownHostnames: ['localhost'] }, { logger: silentLogger })
    for (const url of [
      'http://10.0.0.1/',
      'https://10.0.0.1/',
      'https://169.254.169.254/',
      'http://example.com/',
      'https://example.com:4000/',
      'http://localhost:8787/',
    ]) {
      await expect(engine.endpoints.create('w', { url }), url).rejects.toMatchObject({ code: 'invalid_endpoint' })
    }
    await expect(engine.endpoints.create('w', { url: 'http://127.0.0.1:8787/' })).resolves.toBeDefined()
  })

  it('writes debug lines as JSON, unless it has a logger of its own', async () => {
    const lines = consoleLines()
    for (const logger of [undefined, silentLogger]) {
      const { engine, deliver } = await start({ development: true }, { logger })
      await engine.endpoints.create('w', { url: hookAt('127.0.0.1'), rateLimit: 1, ratePeriod: 'minute' })
      await deliver(2)
    }
    expect(lines.filter(isNoAction)).toMatchObject([
      { method: 'warn' },
      { method: 'debug', line: { level: 'debug', message: 'rate limited; the delivery waits for its slot time' } },
    ])
  })

  it('takes the option at its top level alone', async () => {
    await expect(start({}, { development: true } as WorkerBindings['engine'])).rejects.toThrow(
      'bindings(env) has no option engine.development',
    )
  })
})

it.each([undefined, false])('a Worker with development: %s opens and logs nothing', async (development) => {
  const lines = consoleLines()
  const { engine, deliver } = await start({ development })
  for (const url of [hookAt('127.0.0.1'), hookAt('localhost'), 'https://localhost/']) {
    await expect(engine.endpoints.create('w', { url }), url).rejects.toMatchObject({ code: 'invalid_endpoint' })
  }
  await deliver()
  expect(lines).toEqual([])
})
