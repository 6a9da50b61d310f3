import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { migrate, openPostgres, openSqlite } from '@keepsend/adapter-node'
import { createDashboard, createPortal } from '@keepsend/dashboard'
import type { Engine } from '@keepsend/engine'
import type { OutboxDatabase } from '@keepsend/outbox'
import { raw, sqlText } from '@keepsend/outbox/internal'
import { Hono } from 'hono'
import { answerAndExit } from '../answer.ts'
import { createBenchEngine } from '../engine.ts'
import { ENDPOINTS, LARGE, endpointOf, fillHistory } from '../history/fill.ts'
import { PAGES } from '../pages/paths.ts'
import type { PagesAsk, PagesFound } from '../workloads/pages.ts'

process.stdin.resume().once('end', () => process.exit(1))

const { on, place, attempts, repetitions } = JSON.parse(process.argv[2] ?? '{}') as PagesAsk
const WARM_UP = 5
const FAILED = 200

async function open(): Promise<{ db: OutboxDatabase; vacuum: () => Promise<unknown> }> {
  if (on === 'sqlite') {
    const db = openSqlite(join(place, 'bench.db'))
    await migrate(db)
    return { db, vacuum: async () => undefined }
  }
  const db = await openPostgres({ url: place, statementTimeoutMs: 0 })
  await migrate(db)
  return { db, vacuum: () => db.pool.query('vacuum analyze') }
}

/** The endpoints of the large workspace, under the ids that its attempts name. */
async function addEndpoints(db: OutboxDatabase, engine: Engine): Promise<void> {
  for (let number = 0; number < ENDPOINTS; number++) {
    const { endpoint } = await engine.endpoints.create(LARGE, { url: `https://hooks.example.com/keepsend/${number}` })
    for (const [table, column] of [
      ['keepsend_endpoints', 'id'],
      ['keepsend_secrets', 'endpoint_id'],
    ] as const)
      await db.run(
        sqlText`update ${raw(table)} set ${raw(column)} = ${endpointOf(number)} where ${raw(column)} = ${endpoint.id}`,
      )
  }
}

const { db, vacuum } = await open()
await fillHistory(db, attempts)
const { engine } = createBenchEngine(db, { history: true })
while ((await engine.worker.maintain()).more);
await addEndpoints(db, engine)
await vacuum()

const app = new Hono()
app.route('/dashboard', createDashboard({ engine, authorize: () => ({ name: 'bench', role: 'act' }) }))
app.route('/portal', createPortal({ engine, name: 'Bench' }))
const { token } = await engine.portalLinks.create(LARGE, { uses: 'many' })
const entered = await app.request(`https://bench.example.com/portal/enter/${token}`)
const cookie = entered.headers
  .getSetCookie()
  .map((one) => one.split(';')[0])
  .join('; ')
const { rows: failed } = await engine.deliveries.list(LARGE, { status: 'failed', limit: FAILED })
const ids = failed.map(({ id }) => id)

const found: PagesFound = { pages: Object.fromEntries(PAGES.map(({ name }) => [name, { ms: [], bytes: 0 }])) }
for (let at = -WARM_UP; at < repetitions; at++) {
  for (const { name, of, path } of PAGES) {
    const address = `https://bench.example.com/${of}${path(at + WARM_UP, ids)}`
    const start = performance.now()
    const response = await app.request(address, { headers: { cookie } })
    const text = await response.text()
    const ms = performance.now() - start
    if (response.status !== 200)
      throw new Error(`${name} (${address}) answered ${response.status}: ${text.slice(0, 500)}`)
    const page = found.pages[name]
    if (at < 0 || !page) continue
    page.ms.push(ms)
    page.bytes = Math.max(page.bytes, gzipSync(text).length)
  }
}
answerAndExit(found)
