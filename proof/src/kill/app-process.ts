// The app that is killed: `createNodeServer` as it is, on a file or on Postgres. Bundled (bundle.ts), so that it
// restarts in a quarter of a second.
import { type NodeServerParts, createNodeServer, createUndiciSender } from '@keepsend/adapter-node'
import { type Sender, createKeyRing, keepsend, silentLogger } from '@keepsend/engine'
import Database from 'better-sqlite3'
import { Hono } from 'hono'
import type { AppMessage, AppOrder, AppSetup } from './app.ts'
import { type Keys, MAX_AGE_MS, WORKSPACES } from './sites.ts'
import { watchStalls } from './stall.ts'
import { expectStrike, reached } from './strike.ts'
import { watchPostgres } from './watch-postgres.ts'
import { watchSqlite } from './watch-sqlite.ts'

const setup = JSON.parse(process.argv[2] ?? '{}') as AppSetup
const say = (message: AppMessage): void => void process.send?.(message)
process.once('disconnect', () => process.exit())
process.on('message', (order: AppOrder) => {
  if (order.strike) expectStrike(order.strike)
  if (order.stop) void server.stop({ drainMs: 5000 }).then(() => process.exit(0))
})
watchStalls((stall) => say({ stall }))
watchSqlite(Database)
watchPostgres()
expectStrike(setup.strike)

const urlPolicy = { allowHttp: true, allowPorts: 'any', allowCidrs: ['127.0.0.0/8'] } as const
const undici = createUndiciSender({ urlPolicy })
const sender: Sender = {
  urlPolicy,
  async send(request) {
    reached('before the POST')
    const result = await undici.send(request)
    reached('after the answer')
    if (result.kind === 'error') {
      const { pathname } = new URL(request.url)
      say({ unanswered: { path: pathname, id: String(request.headers['webhook-id']), at: Date.now() } })
    }
    return result
  },
}
// Delay between a mutant's false report and its work: on a slow machine, kills must hit this interval as well.
const LATE_MS = 150

/** The mutant that settles before it sends: reports a success to the engine, and makes the POST a little later. */
const settlesFirst: Sender = {
  urlPolicy,
  async send(request) {
    setTimeout(() => void sender.send(request), LATE_MS)
    return { kind: 'response', status: 200, header: () => undefined, body: new Uint8Array() }
  },
}

/** The mutant that acknowledges before it commits. */
function acknowledgesFirst({ engine }: Pick<NodeServerParts, 'engine'>): {
  fetch(request: Request): Promise<Response>
} {
  const honest = app({ engine })
  return {
    async fetch(request) {
      if (request.method !== 'POST' || !request.url.endsWith('/events')) return honest.fetch(request)
      const copy = new Request(request.url, { method: 'POST', headers: request.headers, body: await request.text() })
      setTimeout(() => void honest.fetch(copy), LATE_MS)
      return new Response('{}', { status: 202 })
    },
  }
}

function app({ engine }: Pick<NodeServerParts, 'engine'>): Hono {
  return new Hono().use(keepsend(engine)).route('/webhooks', engine.routes)
}

const options = {
  port: 0,
  app: setup.mutant === 'acknowledges before it commits' ? acknowledgesFirst : app,
  engine: {
    history: true,
    // Thousands of its deliveries fail.
    logger: silentLogger,
    sender: setup.mutant === 'settles before it sends' ? settlesFirst : sender,
    urlPolicy,
    deadlineMs: 1000,
    maxDeadlineMs: 1000,
    // A receiver that was killed is probed again soon after its restart.
    circuit: { openMs: 1000 },
    maxAgeMs: MAX_AGE_MS,
    retrySchedule: Array.from({ length: 60 }, () => 0.2),
  },
  queue: {
    concurrency: setup.concurrency,
    settleBatch: setup.settleBatch,
    leaseMs: 3000,
    pollMs: 500,
    maintenanceMs: 1000,
  },
  sender: {},
  secrets: createKeyRing('proof:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc='),
  signals: false,
  migrations: setup.migrations,
}
const { file, postgres } = setup
const server =
  file === undefined
    ? await createNodeServer({ ...options, postgres: { url: postgres ?? '', max: 4 } })
    : await createNodeServer({ ...options, file })
const { engine } = server
const keys = setup.makeKeys ? await makeKeys() : undefined
say({ url: server.url, ...(keys && { keys }) })

async function makeKeys(): Promise<Keys> {
  const made = await Promise.all(
    WORKSPACES.map(async (workspaceId) => [workspaceId, (await engine.apiKeys.create({ workspaceId })).key]),
  )
  return Object.fromEntries(made) as Keys
}
