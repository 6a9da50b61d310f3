import { once } from 'node:events'
import { connect } from 'node:net'
import { type Child, KEEPSEND_SECRET_KEY } from './child.ts'
import { compare, total } from './compare.ts'
import { ask, request, until } from './http.ts'
import type { Installation } from './installation.ts'
import { type Acknowledged, load } from './load.ts'
import type { Stage } from './stage.ts'
import type { Meter } from './metered-d1.ts'
import { drained } from './telling.ts'
import { startWorker } from './start-worker.ts'

// After a kill, a row that waited for its retry is due after 61 s, an untried one after 17 s; then the cron must run.
const DRAIN_MS = 150_000
const MEASURED_TOURS = 3

/** The app in workerd, run by `wrangler dev`, with its D1 and Queues in a folder that survives kills. */
export function cloudflareStage({ short = false } = {}): Stage {
  const vars = { SETUP_SECRET: crypto.randomUUID(), KEEPSEND_SECRET_KEY, RECORD_ATTEMPTS: 'failed' }
  return {
    place: 'wrangler dev: D1 and Queues in workerd',
    tours: short ? 12 : 24,
    // One, because a row that waited for a retry takes another minute after each kill.
    kills: 1,
    // A row that waits for its retry at a kill is found a minute later. The short story avoids that: nothing fails before the
    // kill.
    failsFrom: short ? 'kill' : 'start',
    // Locally there is one consumer, and all workspaces and endpoints share its five requests.
    inFlight: 1,
    drainMs: DRAIN_MS,
    start: (folder, port) => startWrangler(folder, port, vars),
    clock: { everyMs: 5000, tick: fireCron },
    async epilogue(it) {
      const failed = await measure(it)
      vars.RECORD_ATTEMPTS = 'all'
      await it.app.killAndRestart(async () => {})
      const all = await measure(it)
      console.log(
        `D1 rows written per delivery, by D1's own count, over ${failed.deliveries} that succeed at the first attempt:\n` +
          `  ${failed.perDelivery}, when failed attempts are recorded, as by default and in the story above\n` +
          `  ${all.perDelivery}, when every attempt is recorded; its deletion after 30 days writes one more`,
      )
      return failed.lost === 0 && all.lost === 0
    },
  }
}

async function startWrangler(folder: string, port: string, vars: Record<string, string>): Promise<Child> {
  const first = port === '0'
  if (!first) await until(`port ${port} to be free`, () => isFree(Number(port)), 10_000)
  const child = await startWorker('src/worker-story.ts', { folder, port, vars, migrate: first })
  if (!first) return child
  const call = { method: 'POST', key: vars['SETUP_SECRET'] ?? '' }
  const { key: operatorKey } = await ask<{ key: string }>(`${child.ready.url}/setup`, call)
  return { ...child, ready: { ...child.ready, operatorKey } }
}

/** The members of a killed process group may outlive its head for a moment and hold the port. */
async function isFree(port: number): Promise<true | undefined> {
  const socket = connect(port, '127.0.0.1')
  const free = await once(socket, 'connect').then(
    () => undefined,
    () => true as const,
  )
  socket.destroy()
  return free
}

/** Runs one tick of the cron, because `wrangler dev` runs none. */
async function fireCron(url: string): Promise<string | undefined> {
  const before = await unlessCut(meterOf(url))
  const answer = await unlessCut(request(`${url}/cdn-cgi/handler/scheduled?format=json`))
  const after = await unlessCut(meterOf(url))
  if (!before || !answer || !after) return undefined
  const { outcome } = answer.body as { outcome: string }
  if (outcome !== 'ok') throw new Error(`the cron ended with ${outcome}`)
  const redispatched = after.redispatched - before.redispatched
  return redispatched > 0
    ? `The cron sent new messages for ${redispatched} deliveries whose lease had ended.`
    : undefined
}

/** Undefined if the connection breaks, because of a kill; the next tick repeats it. */
async function unlessCut<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (error instanceof TypeError) return undefined
    throw error
  })
}

function meterOf(url: string): Promise<Meter> {
  return ask<Meter>(`${url}/meter`)
}

const KINDS = [
  ...['insert', 'update', 'delete'].map((name) => ({ name, kind: `${name} pending_events` })),
  { name: 'attempt', kind: 'insert keepsend_attempts' },
]

/** Measures the rows that D1 reports for deliveries of a further load, by one client and without a kill. */
async function measure(it: Installation): Promise<{ perDelivery: string; deliveries: number; lost: number }> {
  const changes: Acknowledged[] = []
  const { rowsWritten: before } = await meterOf(it.app.url)
  await load({
    apps: it.apps,
    keys: it.keys,
    tours: MEASURED_TOURS,
    clients: 1,
    onAcknowledged: (change) => void changes.push(change),
  })
  await drained(it, DRAIN_MS)
  const { rowsWritten: after } = await meterOf(it.app.url)
  const { committed: deliveries, lost } = total(await compare(it, changes))
  const written = KINDS.map(({ kind, name }) => ({
    name,
    rows: ((after[kind] ?? 0) - (before[kind] ?? 0)) / deliveries,
  })).filter(({ rows }) => rows > 0)
  const sum = written.reduce((all, { rows }) => all + rows, 0)
  const parts = written.map(({ name, rows }) => `${name} ${rows.toFixed(2)}`).join(', ')
  return { perDelivery: `${sum.toFixed(2)} (${parts})`, deliveries, lost }
}
