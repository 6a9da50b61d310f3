// The Worker that is killed with all of wrangler: `createWorker` as it is, with its D1 and its sender watched. A Worker
// cannot kill itself, so it asks the parent to kill it, and waits.
import { type QueueBinding, createFetchSender, createWorker } from '@keepsend/adapter-cloudflare'
import { createKeyRing, keepsend, migrateEngine } from '@keepsend/engine'
import type { D1Binding } from '@keepsend/outbox/d1'
import { Hono } from 'hono'
import { WORKSPACES } from './sites.ts'
import { type Place, type Strike, expectStrike, struckAt } from './strike.ts'
import { watchD1 } from './watch-d1.ts'

interface Env {
  DB: D1Binding
  WEBHOOKS: QueueBinding
  /** A {@link Strike} as JSON, or nothing. */
  STRIKE: string
  /** URL to ask for the kill. */
  KILLER: string
}

let killer = ''

async function reached(place: Place): Promise<void> {
  const strike = struckAt(place)
  if (!strike) return
  const killed = fetch(killer).then(() => {})
  // With a delay, work continues until the kill, which may therefore hit any of it.
  if (strike.afterMs === 0) await killed.then(() => new Promise<void>(() => {}))
}

const urlPolicy = { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' } as const
const secrets = createKeyRing('proof:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=')
const fetchSender = createFetchSender()

export default createWorker({
  maxBatchSize: 10,
  maxBatchTimeoutSeconds: 1,
  // The smallest values that the bounds allow with these deadlines.
  leaseMs: 15_000,
  graceMs: 60_000,
  deadLetterQueue: 'keepsend-proof-dead-letters',
  bindings: (env: Env) => {
    killer = env.KILLER
    expectStrike(env.STRIKE === '' ? undefined : (JSON.parse(env.STRIKE) as Strike))
    return {
      db: watchD1(env.DB, reached),
      queue: env.WEBHOOKS,
      secrets,
      engine: {
        history: { attempts: 'all' },
        urlPolicy,
        sender: {
          async send(request) {
            await reached('before the POST')
            const result = await fetchSender.send(request)
            await reached('after the answer')
            return result
          },
        },
        deadlineMs: 2000,
        maxDeadlineMs: 2000,
        circuit: { openMs: 1000 },
        logger: { info() {}, warn() {}, error() {} },
      },
    }
  },
  app: ({ engine }) =>
    new Hono()
      .post('/setup', async (c) => {
        await migrateEngine(engine.db)
        const made = WORKSPACES.map(async (workspaceId) => [
          workspaceId,
          (await engine.apiKeys.create({ workspaceId })).key,
        ])
        return c.json(Object.fromEntries(await Promise.all(made)))
      })
      .use(keepsend(engine))
      .route('/webhooks', engine.routes),
})
