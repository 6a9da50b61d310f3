// Claim 25 and settle 25, or one event of a neighbour, on tables with different backlogs, in turn: see
// workloads/backlog.ts.
import { join } from 'node:path'
import { migrate, openPostgres, openSqlite } from '@keepsend/adapter-node'
import {
  type Claim,
  type OutboxDatabase,
  claimReadyEvents,
  enqueueEvents,
  lookAtLanes,
  newEventId,
  settleEvents,
} from '@keepsend/outbox'
import { inTurn } from '@keepsend/outbox/internal'
import { answerAndExit } from '../answer.ts'
import { payloadOf } from '../event.ts'
import { fill } from '../fill.ts'
import type { Backlog, BacklogAsk, BacklogFound } from '../workloads/backlog.ts'

process.stdin.resume().once('end', () => process.exit(1))

const BATCH = 25
const WARM_UP = 20
const { on, backlogs, rounds, steps } = JSON.parse(process.argv[2] ?? '{}') as BacklogAsk

interface Table extends Backlog {
  db: OutboxDatabase
  /** Where the next look continues, as in a worker. */
  after: string
}

async function open({ place, kind, count, workspaces }: Backlog): Promise<OutboxDatabase> {
  const where = workspaces === undefined ? undefined : { workspaces }
  if (on === 'sqlite') {
    const db = openSqlite(join(place, 'bench.db'))
    await migrate(db)
    await fill(db, kind, count, where)
    return db
  }
  const db = await openPostgres({ url: place, statementTimeoutMs: 0 })
  await migrate(db)
  await fill(db, kind, count, where)
  // As autovacuum would do at an unknown time.
  await db.pool.query('vacuum analyze pending_events')
  return db
}

/** ms of one look and claim, as in a worker, and one settle; the settled rows are replaced afterwards. */
async function step(table: Table): Promise<number> {
  const { db, kind } = table
  const wanted = kind === 'waiting' ? 1 : BATCH
  const start = performance.now()
  let look = await lookAtLanes(db, { after: table.after })
  // At the end of a pass there may be few lanes left: starts again.
  if (look.lanes.length < wanted && table.after !== '') look = await lookAtLanes(db)
  const { lanes, dueAt, now, next } = look
  table.after = next
  const due = dueAt !== null && dueAt <= now ? wanted : 0
  const { claims, exhausted } = await claimReadyEvents(db, { lanes: inTurn(lanes, wanted), due })
  if (claims.length > 0) {
    const outcomes = claims.map((claim) => ({ claim, settle: 'complete' }) as const)
    const { lost } = await settleEvents(db, outcomes)
    if (lost.length > 0) throw new Error(`${lost.length} settles were lost`)
  }
  const ms = performance.now() - start
  if (claims.length + exhausted.length !== wanted)
    throw new Error(`${claims.length} claimed and ${exhausted.length} exhausted`)
  await putBack(db, claims)
  return ms
}

/** Inserts as many new events of the same lanes. */
async function putBack(db: OutboxDatabase, claims: readonly Claim[]): Promise<void> {
  await enqueueEvents(
    db,
    claims.map(({ workspaceId, endpointId, type }) => ({
      workspaceId,
      endpointId,
      type,
      eventId: newEventId(),
      payload: payloadOf(0),
    })),
  )
}

/** Further rows to claim, if nothing of the backlog can be claimed. */
function besides(kind: Backlog['kind']): number {
  if (kind === 'waiting') return 1
  return kind === 'failed' || kind === 'held' ? 1000 : 0
}

const tables: Table[] = []
for (const backlog of backlogs) {
  const db = await open(backlog)
  await fill(db, 'pending', besides(backlog.kind))
  tables.push({ ...backlog, db, after: '' })
}
for (const table of tables) for (let number = 0; number < WARM_UP; number++) await step(table)
const found: BacklogFound = tables.map(() => [])
for (let round = 0; round < rounds; round++) {
  // The tables alternate step by step: a disk varies more from one second to the next than the expected difference.
  for (let number = 0; number < steps; number++) {
    for (const [at, table] of tables.entries()) found[at]?.push({ round, ms: await step(table) })
  }
}
answerAndExit(found)
