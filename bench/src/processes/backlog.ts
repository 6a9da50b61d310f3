// Claim 25 and settle 25, on tables with different backlogs, in turn: see works/backlog.ts.
import { join } from 'node:path'
import { migrate, openPostgres, openSqlite } from '@keepsend/adapter-node'
import { type Claimed, type OutboxDatabase, claimReadyEvents, lookAtLanes, settleEvents } from '@keepsend/outbox'
import { fill } from '../fill.ts'
import type { BacklogAsk, BacklogFound, Backlog } from '../works/backlog.ts'

process.stdin.resume().once('end', () => process.exit(1))

const BATCH = 25
const WARM_UP = 20
const { on, backlogs, rounds, steps } = JSON.parse(process.argv[2] ?? '{}') as BacklogAsk

interface Table extends Backlog {
  db: OutboxDatabase
}

async function open({ place, kind, count }: Backlog): Promise<OutboxDatabase> {
  if (on === 'sqlite') {
    const db = openSqlite(join(place, 'bench.db'))
    await migrate(db)
    await fill(db, kind, count)
    return db
  }
  const db = await openPostgres({ url: place, statementTimeoutMs: 0 })
  await migrate(db)
  await fill(db, kind, count)
  // As autovacuum would have it, whose time comes when it comes.
  await db.pool.query('vacuum analyze pending_events')
  return db
}

/** As a worker claims: a look, and so many of the lanes that it showed, and of what has become due. */
async function lookAndClaim(db: OutboxDatabase): Promise<Claimed> {
  const { lanes, dueAt, now } = await lookAtLanes(db)
  const due = dueAt !== null && dueAt <= now ? BATCH : 0
  return claimReadyEvents(db, { lanes: lanes.map((lane) => ({ ...lane, count: BATCH })), due })
}

/** ms of one claim and one settle of 25; what it took away is put back afterwards. */
async function step({ db, kind }: Table): Promise<number> {
  const start = performance.now()
  const { claims, dead } = await lookAndClaim(db)
  if (claims.length > 0) {
    const outcomes = claims.map((claim) => ({ claim, settle: 'complete' }) as const)
    const { lost } = await settleEvents(db, outcomes)
    if (lost.length > 0) throw new Error(`${lost.length} settles were lost`)
  }
  const ms = performance.now() - start
  if (claims.length + dead.length !== BATCH) throw new Error(`${claims.length} claimed and ${dead.length} buried`)
  await fill(db, 'pending', kind === 'exhausted' ? 0 : BATCH)
  return ms
}

const tables: Table[] = []
for (const backlog of backlogs) {
  const db = await open(backlog)
  // Where nothing of the backlog can be claimed, something else must be there to claim.
  await fill(db, 'pending', backlog.kind === 'failed' || backlog.kind === 'held' ? 1000 : 0)
  tables.push({ ...backlog, db })
}
for (const table of tables) for (let number = 0; number < WARM_UP; number++) await step(table)
const found: BacklogFound = tables.map(() => [])
for (let round = 0; round < rounds; round++) {
  // In turn step by step: what a disk does from one second to the next is more than what is looked for.
  for (let number = 0; number < steps; number++) {
    for (const [at, table] of tables.entries()) found[at]?.push({ round, ms: await step(table) })
  }
}
console.log(JSON.stringify(found))
process.exit()
