// One route in three variants, on one SQLite file with FULL: see workloads/overhead.ts.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import { commitWithEvents, keepsend } from '@keepsend/engine'
import type { Database } from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Hono } from 'hono'
import { answerAndExit } from '../answer.ts'
import { createBenchEngine } from '../engine.ts'
import { textOf } from '../event.ts'
import { median } from '../workload.ts'
import type { OverheadAsk, OverheadFound } from '../workloads/overhead.ts'

process.stdin.resume().once('end', () => process.exit(1))

const { rounds, requests } = JSON.parse(process.argv[2] ?? '{}') as OverheadAsk
const messages = sqliteTable('messages', { id: text().primaryKey(), text: text().notNull() })
const folder = mkdtempSync(join(tmpdir(), 'keepsend-bench-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const db = openSqlite<Database>(join(folder, 'bench.db'))
await migrate(db)
db.connection.exec('create table messages (id text primary key, text text not null)')
const orm = drizzle({ client: db.connection })
// Its queue is not started: the request is measured, not the delivery after it.
const { engine } = createBenchEngine(db)
await engine.endpoints.create('bench', { url: 'http://127.0.0.1/hooks' })

const app = new Hono()
app.use('/keepsend/*', keepsend(engine))
app.post('/plain', async (c) => {
  const message = { id: crypto.randomUUID(), ...(await c.req.json<{ text: string }>()) }
  orm.insert(messages).values(message).run()
  return c.json(message, 201)
})
for (const events of [0, 1]) {
  app.post(`/keepsend/${events}`, async (c) => {
    const message = { id: crypto.randomUUID(), ...(await c.req.json<{ text: string }>()) }
    return commitWithEvents(c, {
      writes: [orm.insert(messages).values(message)],
      events: Array.from({ length: events }, () => ({
        type: 'message.created',
        workspaceId: 'bench',
        data: message,
      })),
      response: { status: 201, body: message },
    })
  })
}

/** µs of one request. */
async function request(path: string, index: number): Promise<number> {
  const body = JSON.stringify({ text: textOf(index) })
  const start = performance.now()
  const response = await app.request(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  await response.arrayBuffer()
  const us = (performance.now() - start) * 1000
  if (response.status !== 201) throw new Error(`${path} answered ${response.status}`)
  return us
}

/** The p50 of each route over a round, in which the routes alternate request by request. */
async function round(): Promise<Record<Route, number>> {
  const taken: Record<Route, number[]> = { plain: [], none: [], one: [] }
  for (let index = 0; index < requests; index++) {
    for (const route of routes) taken[route].push(await request(paths[route], index))
  }
  return { plain: median(taken.plain), none: median(taken.none), one: median(taken.one) }
}

type Route = keyof OverheadFound
const paths: Record<Route, string> = { plain: '/plain', none: '/keepsend/0', one: '/keepsend/1' }
const routes = ['plain', 'none', 'one'] as const
// The first round compiles and does not count.
await round()
const found: OverheadFound = { plain: [], none: [], one: [] }
for (let number = 0; number < rounds; number++) {
  const p50 = await round()
  for (const route of routes) found[route].push(p50[route])
}
db.close()
answerAndExit(found)
