// Lists of the HTTP API on tables with different numbers of attempts, in turn, and the clean-up of a week: see
// workloads/history.ts.
import type { Engine } from '@keepsend/engine'
import type { OutboxDatabase } from '@keepsend/outbox'
import { onlyRow, sqlText } from '@keepsend/outbox/internal'
import { answerAndExit } from '../answer.ts'
import { createBenchEngine } from '../engine.ts'
import { DAYS, fillHistory } from '../history/fill.ts'
import { openDatabase } from '../history/open.ts'
import type { CleanUp, HistoryAsk, HistoryFound, ListFound } from '../history/lists.ts'
import { REQUESTS } from '../history/requests.ts'

process.stdin.resume().once('end', () => process.exit(1))

const { on, sizes, repetitions } = JSON.parse(process.argv[2] ?? '{}') as HistoryAsk
const WARM_UP = 5
const DAY_MS = 86_400_000
const COUNTS = ['delivered', 'retried', 'deferred', 'failed', 'replayed', 'tested']
// A machine takes back the pages of a file that nobody has read for a while: of 2 GB 15% in 150 s.
const READ_THROUGH_MS = 5000

interface Filled {
  attempts: number
  db: OutboxDatabase
  engine: Engine
  readThrough: () => Promise<unknown>
  bytesEach: number
  countUs: number
  /** Of each workspace that is asked for. */
  keys: Map<string, string>
}

async function bytesOf(db: OutboxDatabase): Promise<number> {
  const { rows } = await db.run<{ bytes: number }>(
    on === 'sqlite'
      ? sqlText`select page_count * page_size as "bytes" from pragma_page_count, pragma_page_size`
      : sqlText`select pg_database_size(current_database()) as "bytes"`,
  )
  return Number(rows[0]?.bytes)
}

async function fill({ place, attempts }: HistoryAsk['sizes'][number]): Promise<Filled> {
  const { db, vacuum, readThrough } = await openDatabase(on, place)
  const empty = await bytesOf(db)
  await fillHistory(db, attempts)
  const { engine } = createBenchEngine(db, { history: true })
  const start = performance.now()
  while ((await engine.worker.maintain()).more);
  const countUs = ((performance.now() - start) * 1000) / attempts
  const bytesEach = ((await bytesOf(db)) - empty) / attempts
  await vacuum()
  const keys = new Map<string, string>()
  for (const workspaceId of new Set(REQUESTS.map((request) => request.workspaceId)))
    keys.set(workspaceId, (await engine.apiKeys.create({ workspaceId, name: 'bench' })).key)
  return { attempts, db, engine, readThrough, bytesEach, countUs, keys }
}

/** ms of a whole answer, from the request to the text of its JSON. */
async function ask({ engine, keys }: Filled, at: number, request: (typeof REQUESTS)[number]): Promise<ListFound> {
  const headers = { authorization: `Bearer ${keys.get(request.workspaceId)}` }
  const start = performance.now()
  const response = await engine.routes.request(request.path(at, Date.now()), { headers })
  const text = await response.text()
  const ms = performance.now() - start
  if (response.status !== 200) throw new Error(`${request.name} answered ${response.status}: ${text}`)
  const { data } = JSON.parse(text) as { data: Record<string, unknown>[] }
  return { ms, rows: data.flatMap(partsOf).length }
}

/** An entry of a page; of figures and of a chart the times that have some. */
function partsOf(entry: Record<string, unknown>): unknown[] {
  const times = 'buckets' in entry ? (entry['buckets'] as Record<string, unknown>[]) : [entry]
  return times.filter((one) => !('delivered' in one) || COUNTS.some((name) => one[name] !== 0))
}

// The rows themselves: maintenance does not count those of partitions that it drops.
async function countRows(db: OutboxDatabase): Promise<CleanUp['deleted']> {
  const { rows } = await db.run<CleanUp['deleted']>(sqlText`
    select (select count(*) from keepsend_attempts) as "attempts", (select count(*) from keepsend_events) as "events"`)
  return onlyRow(rows)
}

/** Deletes a week, as an engine whose retention is shorter by seven days does. */
async function cleanUp({ db, attempts }: Filled): Promise<CleanUp> {
  const { engine } = createBenchEngine(db, { history: { retentionMs: (DAYS - 7) * DAY_MS } })
  const before = await countRows(db)
  let [longestMs, more] = [0, true]
  const start = performance.now()
  while (more) {
    const begun = performance.now()
    const round = await engine.worker.maintain()
    longestMs = Math.max(longestMs, performance.now() - begun)
    more = round.more
  }
  const ms = performance.now() - start
  const after = await countRows(db)
  const deleted = { attempts: before.attempts - after.attempts, events: before.events - after.events }
  return { attempts, deleted, ms, longestMs }
}

const filled: Filled[] = []
for (const size of sizes) filled.push(await fill(size))
const lists: HistoryFound['lists'] = Object.fromEntries(REQUESTS.map(({ name }) => [name, filled.map(() => [])]))
let readAt = -Infinity
for (let at = -WARM_UP; at < repetitions; at++) {
  // As those of a server that is asked all day: without it, only what the lists read would be in memory.
  if (performance.now() - readAt > READ_THROUGH_MS) {
    for (const { readThrough } of filled) await readThrough()
    readAt = performance.now()
  }
  for (const request of REQUESTS) {
    // The tables alternate answer by answer, so that a machine that slows down slows all.
    for (const [index, table] of filled.entries()) {
      const found = await ask(table, at + WARM_UP, request)
      if (at >= 0) lists[request.name]?.[index]?.push(found)
    }
  }
}
const cleanUps: CleanUp[] = []
for (const table of filled) cleanUps.push(await cleanUp(table))
answerAndExit({
  bytesEach: filled.map(({ bytesEach }) => bytesEach),
  countUs: filled.map(({ countUs }) => countUs),
  lists,
  cleanUps,
} satisfies HistoryFound)
