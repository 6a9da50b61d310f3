// How Postgres goes about each statement with a million rows that wait and a million that failed, and in a burst into a
// table of which it knows nothing: by an index, and looking at no more than it takes. Counted by EXPLAIN (ANALYZE, BUFFERS); each statement is then rolled back.
import pg from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSchema } from '../../../test/postgres/schema.ts'
import { type Move, type SqlText, type TakeOptions, firstEventIdAt, migrate, toSql } from '../src/index.ts'
import { fromPostgres, postgresDialect } from '../src/postgres.ts'

const WAITING = 1_000_000
const FAILED = 1_000_000
const DUE = 50_000
const BURST = 4_000
const now = Date.now()
const idAt = (kind: string, n: number) => `evt_${kind}${String(n).padStart(8, '0')}`
const refs = Array.from({ length: 25 }, (_, n) => ({ id: idAt('due', n + 1), gen: 0 }))
const moves = refs.map((ref): Move => ({
  ...ref,
  status: 'failed',
  charged: true,
  deferral: false,
  delayMs: null,
  dueAt: null,
  error: null,
  httpStatus: null,
  holdReason: null,
}))
const take = (rows: TakeOptions['rows'], as: TakeOptions['as']) =>
  postgresDialect.take({ rows, as, limit: 25, leaseMs: 60_000, now: undefined })
const claim25 = { rows: { kind: 'due' }, as: 'claim', limit: 25, leaseMs: 60_000, now: undefined } as const
const [fromId, toId] = [firstEventIdAt(now - 600_000), firstEventIdAt(now)]
const anything = {
  ids: undefined,
  workspaceId: undefined,
  endpointId: undefined,
  status: undefined,
  settledAfter: undefined,
  settledBefore: undefined,
  holdFor: undefined,
  limit: 25,
}

/** Each statement, the rows at most that it changes or finds, and the indexes by which it may look for them. */
const STATEMENTS: [string, SqlText, number, string[]][] = [
  ['a claim of 25', take({ kind: 'due' }, 'claim'), 25, ['pending_events_due', 'pending_events_pkey']],
  ['a claim of 25 by name', take({ kind: 'named', claims: refs }, 'claim'), 25, ['pending_events_pkey']],
  ['a sweep of due rows', take({ kind: 'due' }, 'sweep'), 25, ['pending_events_due', 'pending_events_pkey']],
  ['a sweep of first sends', take({ kind: 'first-sends', fromId, toId }, 'sweep'), 0, ['pending_events_pkey']],
  [
    'the hourly sweep',
    take({ kind: 'handed-off', afterId: fromId, toId, createdBefore: now }, 'sweep'),
    0,
    ['pending_events_pkey'],
  ],
  ['completing 25', postgresDialect.deleteSettled(refs), 25, ['pending_events_pkey']],
  [
    'completing 25 and claiming as many',
    postgresDialect.settleAndTake?.(postgresDialect.deleteSettled(refs), refs, claim25) ??
      postgresDialect.take(claim25),
    50,
    ['pending_events_due', 'pending_events_pkey'],
  ],
  [
    'settling 25 and claiming as many',
    postgresDialect.settleAndTake?.(postgresDialect.settle(moves, undefined), refs, claim25) ??
      postgresDialect.take(claim25),
    50,
    ['pending_events_due', 'pending_events_pkey'],
  ],
  ['settling 25', postgresDialect.settle(moves, undefined), 25, ['pending_events_pkey']],
  ['renewing 25 leases', postgresDialect.extend(refs, 60_000, undefined), 0, ['pending_events_pkey']],
  ['beginning 25', postgresDialect.begin(refs), 25, ['pending_events_pkey']],
  [
    'a clean-up of 25',
    postgresDialect.prune(1000, 25, undefined),
    25,
    ['pending_events_settled', 'pending_events_pkey'],
  ],
  [
    'a replay by time',
    postgresDialect.replay({ ...anything, settledAfter: 1 }, undefined),
    25,
    ['pending_events_settled', 'pending_events_pkey'],
  ],
  [
    'a replay by ids',
    postgresDialect.replay({ ...anything, ids: refs.map(({ id }) => id) }, undefined),
    0,
    ['pending_events_pkey'],
  ],
  ['letting out', postgresDialect.unhold('ep_1', 25, undefined), 25, ['pending_events_held', 'pending_events_pkey']],
]

interface Plan {
  'Node Type': string
  'Index Name'?: string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: Plan[]
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]

let pool: pg.Pool

/** A table with rows that failed, are due and wait, filled in this order; what the planner knows of them is up to `between`. */
async function fill(counts: { failed: number; due: number; later: number }, between: () => Promise<unknown>) {
  const schema = await createSchema()
  pool = new pg.Pool({ connectionString: schema.url, max: 2 })
  await migrate(fromPostgres(pool))
  // Not logged: the filling is no part of what is counted. Autovacuum would look at the table in between.
  await pool.query('alter table pending_events set unlogged')
  await pool.query('alter table pending_events set (autovacuum_enabled = off)')
  const rows = (kind: string, count: number, status: string, due: string, completed: string) => `
    insert into pending_events (id, workspace_id, event_type, endpoint_id, status, due_at, created_at, completed_at, payload)
    select 'evt_${kind}' || lpad(n::text, 8, '0'), 'w', 't', 'ep_' || n % 50, '${status}', ${due}, ${now}, ${completed}, '{}'
    from generate_series(1, ${count}) as n`
  await pool.query(rows('failed', counts.failed, 'failed', 'null', `${now} - 86400000 - n`))
  await between()
  await pool.query(rows('due', counts.due, 'pending', `${now} - n`, 'null'))
  await pool.query(rows('held', counts.due, 'held', 'null', 'null'))
  await pool.query(rows('later', counts.later, 'pending', `${now} + 86400000 + n`, 'null'))
  return async () => {
    await pool.end()
    await schema.drop()
  }
}

async function explain(statement: SqlText): Promise<Plan> {
  const { sql, params } = toSql(statement, 'postgres')
  const client = await pool.connect()
  try {
    await client.query('begin')
    const { rows } = await client.query(`explain (analyze, buffers, format json) ${sql}`, [...params])
    return (rows[0] as { 'QUERY PLAN': { Plan: Plan }[] })['QUERY PLAN'][0]?.Plan as Plan
  } finally {
    await client.query('rollback')
    client.release()
  }
}

async function expectIndexed(statement: SqlText, rows: number, indexes: readonly string[]): Promise<void> {
  const plan = await explain(statement)
  const reads = nodesOf(plan).filter((node) => node['Index Name'] ?? node['Node Type'] === 'Seq Scan')
  expect(reads.length).toBeGreaterThan(0)
  expect(reads.filter((node) => !indexes.includes(node['Index Name'] ?? ''))).toEqual([])
  expect(plan['Actual Rows']).toBeLessThanOrEqual(Math.max(rows, 25))
  // What earlier statements here left in the indexes, rolled back as it is, is met as well.
  for (const read of reads) expect(read['Actual Rows'] * read['Actual Loops']).toBeLessThanOrEqual(100)
  // Each row by four indexes, each a few pages deep: a page more for each thing touched, and no more.
  expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(24 * Math.max(rows, 25))
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

    it.each(STATEMENTS)('%s goes by its index and looks at few rows', async (_, statement, rows, indexes) => {
      await expectIndexed(statement, rows, indexes)
    })
  })
})

describe('a burst into a table of which nothing is known yet', () => {
  beforeAll(() => fill({ failed: BURST, due: BURST, later: 0 }, () => Promise.resolve()), 60_000)

  it.each(STATEMENTS)('%s goes by its index and looks at few rows', async (_, statement, rows, indexes) => {
    await expectIndexed(statement, rows, indexes)
  })
})
