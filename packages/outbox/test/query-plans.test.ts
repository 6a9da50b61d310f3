import Database from 'better-sqlite3'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Move, firstEventIdAt, migrate, newEventId, toSql } from '../src/index.ts'
import type { SqlText, TakeOptions } from '../src/index.ts'
import { fromBetterSqlite, sqliteDialect } from '../src/sqlite.ts'

const now = Date.now()
const refs = Array.from({ length: 25 }, () => ({ id: newEventId(), gen: 1 }))
const MOVE = {
  status: 'failed',
  charged: true,
  deferral: false,
  delayMs: null,
  dueAt: null,
  error: null,
  httpStatus: null,
  holdReason: null,
} as const
const moves = refs.map((ref): Move => ({ ...ref, ...MOVE }))
const take = (rows: TakeOptions['rows'], as: TakeOptions['as']) =>
  sqliteDialect.take({ rows, as, limit: 25, leaseMs: 60_000, now })
const [fromId, toId] = [firstEventIdAt(now - 600_000), firstEventIdAt(now)]
const anything = {
  ids: undefined,
  workspaceId: undefined,
  endpointId: undefined,
  status: undefined,
  settledAfter: undefined,
  settledBefore: undefined,
  holdFor: undefined,
}

/** Each statement, and the ways into `pending_events` that it may use. */
const STATEMENTS: [string, SqlText, string[]][] = [
  ['claim', take({ kind: 'due' }, 'claim'), ['INDEX pending_events_due (due_at', 'PRIMARY KEY (id=?)']],
  ['sweep of due rows', take({ kind: 'due' }, 'sweep'), ['INDEX pending_events_due (due_at', 'PRIMARY KEY (id=?)']],
  [
    'sweep of first sends',
    take({ kind: 'first-sends', fromId, toId }, 'sweep'),
    ['PRIMARY KEY (id>? AND id<?)', 'PRIMARY KEY (id=?)'],
  ],
  [
    'hourly sweep',
    take({ kind: 'handed-off', afterId: fromId, toId, createdBefore: now }, 'sweep'),
    ['PRIMARY KEY (id>? AND id<?)', 'PRIMARY KEY (id=?)'],
  ],
  ['completing', sqliteDialect.deleteSettled(refs), ['PRIMARY KEY (id=?)']],
  ['settle', sqliteDialect.settle(moves, now), ['PRIMARY KEY (id=?)']],
  ['lease', sqliteDialect.extend(refs, 60_000, now), ['PRIMARY KEY (id=?)']],
  ['begin', sqliteDialect.begin(refs), ['PRIMARY KEY (id=?)']],
  [
    'clean-up',
    sqliteDialect.prune(86_400_000, 500, now),
    ['INDEX pending_events_settled (completed_at', 'PRIMARY KEY (id=?)'],
  ],
  [
    'letting out',
    sqliteDialect.unhold('ep_1', 25, now),
    ['INDEX pending_events_held (endpoint_id=?', 'PRIMARY KEY (id=?)'],
  ],
  [
    'replay by time',
    sqliteDialect.replay({ ...anything, settledAfter: 1, limit: 25 }, now),
    ['INDEX pending_events_settled (completed_at', 'PRIMARY KEY (id=?)'],
  ],
  [
    'replay by ids',
    sqliteDialect.replay({ ...anything, ids: refs.map(({ id }) => id), limit: 25 }, now),
    ['PRIMARY KEY (id=?)'],
  ],
]

async function open(): Promise<Database.Database> {
  const connection = new Database(':memory:')
  await migrate(fromBetterSqlite(connection))
  return connection
}

/** 20,000 rows, a quarter each due, handed off, settled and held. */
function fill(connection: Database.Database): void {
  const insert = connection.prepare(`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, status, hold_reason, due_at, created_at, completed_at, payload)
    values (?, 'w', 't', ?, ?, ?, ?, ?, ?, '{}')`)
  connection.transaction(() => {
    for (let row = 0; row < 20_000; row++) {
      const kind = row % 4
      insert.run(
        newEventId(),
        `ep_${row % 50}`,
        kind === 2 ? 'failed' : kind === 3 ? 'held' : 'pending',
        kind === 3 ? 'blocked' : null,
        kind === 0 ? now + row : null,
        now,
        kind === 2 ? now - row : null,
      )
    }
  })()
}

/** How a statement reads `pending_events`, one line of the plan each. */
function readsOf(connection: Database.Database, statement: SqlText): string[] {
  const { sql, params } = toSql(statement, 'sqlite')
  const plan = connection.prepare(`explain query plan ${sql}`).all(...params) as { detail: string }[]
  return plan.map(({ detail }) => detail).filter((detail) => detail.includes('pending_events'))
}

describe.each(['an empty table', '20,000 rows', '20,000 rows after ANALYZE'])('with %s', (state) => {
  let connection: Database.Database
  beforeAll(async () => {
    connection = await open()
    if (state !== 'an empty table') fill(connection)
    if (state.endsWith('ANALYZE')) connection.exec('analyze')
  })

  it.each(STATEMENTS)('%s reads by key or by a partial index, never the whole table', (_, statement, ways) => {
    const reads = readsOf(connection, statement)
    expect(reads.length).toBeGreaterThan(0)
    expect(reads.filter((read) => read.startsWith('SCAN') && !ways.some((way) => read.includes(way)))).toEqual([])
    expect(reads.filter((read) => !ways.some((way) => read.includes(way)))).toEqual([])
  })
})
