// The plan of each statement with a million waiting rows and a million failed rows, and in a burst that the statistics
// do not have yet: it uses an index, and reads only the rows that it takes. Counted by EXPLAIN (ANALYZE, BUFFERS); each
// statement is then rolled back.
import pg from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSchema } from '../../../test/postgres/schema.ts'
import {
  type ClaimRef,
  type Outcome,
  beginEvents,
  extendLease,
  failHeldStatement,
  holdLaneStatement,
  migrateOutbox,
  replayEvents,
  resumeStatement,
  settleEvents,
} from '../src/index.ts'
import {
  type ClaimRecords,
  type SqlText,
  type TakeOptions,
  firstEventIdAt,
  raw,
  recordsOf,
  sqlText,
} from '../src/internal.ts'
import { cancelStatement } from '../src/lib/cancel.ts'
import { pruneStatement } from '../src/lib/cleanup.ts'
import { heldEndpointsStatement } from '../src/lib/hold.ts'
import { lineUpStatement, lookStatement } from '../src/lib/lane.ts'
import { oldestStatement } from '../src/lib/oldest.ts'
import { expireStatement, expiryStepStatement as expiryLook } from '../src/lib/expire.ts'
import { deleteUnusedStatement } from '../src/lib/payload.ts'
import { takeStatement } from '../src/lib/take.ts'
import { fromPostgres, postgresDialect } from '../src/postgres.ts'
import { type Plan, explain, nodesOf } from './postgres-explain.ts'
import { statementOf } from './statement-of.ts'

const WAITING = 1_000_000
const FAILED = 1_000_000
const DUE = 50_000
const BURST = 4_000
const now = Date.now()
const idAt = (kind: string, n: number) => `evt_${kind}${String(n).padStart(8, '0')}`
const refs = Array.from({ length: 25 }, (_, n): ClaimRef => ({ id: idAt('due', n + 1), gen: now }))
const ids = refs.map(({ id }) => id)
const db = { dialect: postgresDialect }
const take = (rows: TakeOptions['rows'], as: TakeOptions['as']) =>
  takeStatement(postgresDialect, { rows, as, limit: 25, leaseMs: 60_000, now: undefined })
const completing = refs.map((claim): Outcome => ({ settle: 'complete', claim }))
const failing = refs.map((claim): Outcome => ({ settle: 'fail', claim, error: 'e' }))
const LANE = { workspaceId: 'w', endpointId: 'ep_1' }
const settle = (outcomes: readonly Outcome[], claims: number, records?: ClaimRecords) =>
  statementOf(postgresDialect, (one) => {
    const claim = claims > 0 ? { lanes: [{ ...LANE, count: claims }], leaseMs: 60_000 } : undefined
    return settleEvents(one, outcomes, { claim, records })
  })
const records = recordsOf(refs, {
  columns: { number: ['integer', ({ gen }) => gen], word: ['text', ({ id }) => id] },
  insert: ({ from, value }) => sqlText`insert into keepsend_payloads (event_id, payload)
    select claim.event_type, ${value('word')} || ${value('number')} from ${from}`,
})
const LANES = Array.from({ length: 25 }, (_, n) => ({ workspaceId: 'w', endpointId: `ep_${n}`, count: 1 }))
const [fromId, toId] = [firstEventIdAt(now - 600_000), firstEventIdAt(now)]

/** Each statement, the most rows that it may change or find, and the indexes that it may use. */
const STATEMENTS: [string, SqlText, number, string[]][] = [
  ['a look', lookStatement(db, { behind: { w: 'ep_1' } }), 33, ['pending_events_ready', 'pending_events_due']],
  [
    'a claim of a lane',
    take({ kind: 'lanes', lanes: [{ ...LANE, count: 25 }] }, 'claim'),
    25,
    ['pending_events_ready', 'pending_events_pkey'],
  ],
  [
    'a claim of 25 lanes',
    take({ kind: 'lanes', lanes: LANES }, 'claim'),
    25,
    ['pending_events_ready', 'pending_events_pkey'],
  ],
  [
    "a neighbour's claim",
    take({ kind: 'lanes', lanes: [{ workspaceId: 'x', endpointId: 'ep_1', count: 1 }] }, 'claim'),
    1,
    ['pending_events_ready', 'pending_events_pkey'],
  ],
  ['a claim of 25 due', take({ kind: 'due' }, 'claim'), 25, ['pending_events_due', 'pending_events_pkey']],
  ['putting 25 in line', lineUpStatement(db, { limit: 25 }), 25, ['pending_events_due', 'pending_events_pkey']],
  ['a claim of 25 by name', take({ kind: 'named', claims: refs }, 'claim'), 25, ['pending_events_pkey']],
  ['a sweep of due rows', take({ kind: 'due' }, 'sweep'), 25, ['pending_events_due', 'pending_events_pkey']],
  ['a sweep of first sends', take({ kind: 'first-sends', fromId, toId }, 'sweep'), 0, ['pending_events_pkey']],
  [
    'the hourly sweep',
    take({ kind: 'dispatched', afterId: fromId, toId, createdBefore: now }, 'sweep'),
    0,
    ['pending_events_pkey'],
  ],
  ['completing 25', await settle(completing, 0), 25, ['pending_events_pkey']],
  [
    'completing 25 and claiming as many',
    await settle(completing, 25),
    50,
    ['pending_events_ready', 'pending_events_pkey'],
  ],
  [
    'completing 25, recording each, and claiming as many',
    await settle(completing, 25, records),
    75,
    ['pending_events_ready', 'pending_events_pkey'],
  ],
  ['settling 25 and claiming as many', await settle(failing, 25), 50, ['pending_events_ready', 'pending_events_pkey']],
  ['settling 25', await settle(failing, 0), 25, ['pending_events_pkey']],
  [
    'renewing 25 leases',
    await statementOf(postgresDialect, (one) => extendLease(one, refs, 60_000)),
    0,
    ['pending_events_pkey'],
  ],
  [
    'beginning 25',
    await statementOf(postgresDialect, (one) => beginEvents(one, refs)),
    50,
    ['pending_events_pkey', 'pending_events_ready'],
  ],
  [
    'a clean-up of 25',
    pruneStatement(db, { status: 'failed', ageMs: 1000, limit: 25, now: undefined }),
    25,
    ['pending_events_settled', 'pending_events_pkey'],
  ],
  [
    'a clean-up of completed rows beside failed ones',
    pruneStatement(db, { status: 'completed', ageMs: 1000, limit: 25, now: undefined }),
    0,
    ['pending_events_settled', 'pending_events_pkey'],
  ],
  ['a clean-up of 25 payloads', deleteUnusedStatement(db, { afterId: 0, toId: 25 }), 0, ['pending_events_pkey']],
  [
    'cancelling an event',
    cancelStatement(db, { eventId: 'evt_due00000001', workspaceId: 'w', limit: 25 }),
    1,
    ['pending_events_pkey'],
  ],
  ['expiring 25', expireStatement(db, refs, { maxAgeMs: 1, now: undefined }), 25, ['pending_events_pkey']],
  [
    'a replay by time',
    await statementOf(postgresDialect, (one) => replayEvents(one, { settledAfter: 1 }, { limit: 25 })),
    25,
    ['pending_events_settled', 'pending_events_pkey'],
  ],
  [
    'a replay by ids',
    await statementOf(postgresDialect, (one) => replayEvents(one, { ids }, { limit: 25 })),
    0,
    ['pending_events_pkey'],
  ],
  [
    'a resume of 25',
    resumeStatement(db, { endpointId: 'ep_1', limit: 25 }),
    25,
    ['pending_events_held', 'pending_events_pkey'],
  ],
  [
    'failing 25 that are held for an endpoint that is gone',
    failHeldStatement(db, { endpointId: 'ep_1', error: 'gone', limit: 25 }),
    25,
    ['pending_events_held', 'pending_events_pkey'],
  ],
  ['looking for endpoints with held rows', heldEndpointsStatement(db, { limit: 25 }), 25, ['pending_events_held']],
  [
    'the oldest rows',
    oldestStatement(db, { withHeld: true }),
    100,
    ['pending_events_ready', 'pending_events_due', 'pending_events_held'],
  ],
  [
    'a replay of an endpoint',
    await statementOf(postgresDialect, (one) =>
      replayEvents(one, { workspaceId: 'w', endpointId: 'ep_1', settledAfter: 1 }, { limit: 25 }),
    ),
    25,
    ['pending_events_replay', 'pending_events_pkey'],
  ],
]

const LOOK = expiryLook(db, { maxAgeMs: 86_400_000, afterId: idAt('failed', 0), toId: '~', limit: 500, now })
const HOLD = holdLaneStatement(db, { ...LANE, reason: 'blocked', guard: raw('1 = 1') })

let pool: pg.Pool

/**
 * Fills the table with rows that failed, are due and wait, in this order. `between` decides what the planner knows of
 * them.
 */
async function fill(counts: { failed: number; due: number; later: number }, between: () => Promise<unknown>) {
  const schema = await createSchema()
  pool = new pg.Pool({ connectionString: schema.url, max: 2 })
  await migrateOutbox(fromPostgres(pool))
  // Unlogged, because filling is not measured. Autovacuum would update the statistics in between.
  await pool.query('alter table pending_events set unlogged')
  await pool.query('alter table pending_events set (autovacuum_enabled = off)')
  const rows = (kind: string, count: number, status: string, due: string, completed: string, ready = 0) => `
    insert into pending_events (id, workspace_id, event_type, endpoint_id, status, due_at, ready, gen, created_at, completed_at, payload)
    select 'evt_${kind}' || lpad(n::text, 8, '0'), 'w', 't', 'ep_' || n % 50, '${status}', ${due}, ${ready}, ${now}, ${now}, ${completed}, '{}'
    from generate_series(1, ${count}) as n`
  await pool.query(rows('failed', counts.failed, 'failed', 'null', `${now} - 86400000 - n`))
  await between()
  await pool.query(rows('due', counts.due, 'pending', `${now} - n`, 'null'))
  await pool.query(rows('line', counts.due, 'pending', `${now} - n`, 'null', 1))
  await pool.query(rows('held', counts.due, 'held', 'null', 'null'))
  await pool.query(`
    insert into keepsend_payloads (event_id, payload)
    select 'evt_due' || lpad(n::text, 8, '0'), '{}' from generate_series(1, ${counts.due}) as n`)
  await pool.query(rows('later', counts.later, 'pending', `${now} + 86400000 + n`, 'null'))
  return async () => {
    await pool.end()
    await schema.drop()
  }
}

async function expectIndexed(
  statement: SqlText,
  rows: number,
  indexes: readonly string[],
  looksThrough = 0,
): Promise<void> {
  const plan = await explain(pool, statement)
  const reads = nodesOf(plan).filter((node) => node['Index Name'] ?? node['Node Type'] === 'Seq Scan')
  expect(reads.length).toBeGreaterThan(0)
  const allowed = [...indexes, 'keepsend_payloads_pkey']
  // The row with the positions of the passes.
  const isPlace = (node: Plan): boolean => node['Relation Name'] === 'keepsend_sweep_pass'
  expect(reads.filter((node) => !isPlace(node) && !allowed.includes(node['Index Name'] ?? ''))).toEqual([])
  expect(plan['Actual Rows']).toBeLessThanOrEqual(Math.max(rows, 25))
  // Index entries of earlier statements, which were rolled back, are read as well.
  for (const read of reads) expect(read['Actual Rows'] * read['Actual Loops']).toBeLessThanOrEqual(looksThrough + 100)
  // Each row has four index entries, each a few pages deep: about a page for each of them.
  const touched = Math.max(rows, 25, looksThrough)
  expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(24 * touched)
}

describe('a million wait and a million failed', () => {
  beforeAll(
    () => fill({ failed: FAILED, due: DUE, later: WAITING }, () => pool.query('analyze pending_events')),
    120_000,
  )

  describe.each(['with statistics from before anything waited', 'with fresh statistics'])('%s', (state) => {
    beforeAll(async () => {
      if (state === 'with fresh statistics') await pool.query('analyze pending_events')
    }, 60_000)

    it.each(STATEMENTS)('%s uses its index and reads few rows', async (_, statement, rows, indexes) => {
      await expectIndexed(statement, rows, indexes)
    })

    it('holding a lane reads its first 1,000 rows', async () => {
      await expectIndexed(HOLD, 25, ['pending_events_ready', 'pending_events_pkey'], 1000)
    })

    it('a step of the expiry reads 5,000 keys', async () => {
      await expectIndexed(LOOK, 25, ['pending_events_pkey', 'pending_events_expiring'], 5000)
    })
  })
})

describe('a burst into a table without statistics', () => {
  beforeAll(() => fill({ failed: BURST, due: BURST, later: 0 }, () => Promise.resolve()), 60_000)

  it.each(STATEMENTS)('%s uses its index and reads few rows', async (_, statement, rows, indexes) => {
    await expectIndexed(statement, rows, indexes)
  })

  it('holding a lane reads its first 1,000 rows', async () => {
    await expectIndexed(HOLD, 25, ['pending_events_ready', 'pending_events_pkey'], 1000)
  })

  it('a step of the expiry reads 5,000 keys', async () => {
    await expectIndexed(LOOK, 25, ['pending_events_pkey', 'pending_events_expiring'], 5000)
  })
})
