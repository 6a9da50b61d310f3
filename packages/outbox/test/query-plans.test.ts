import Database from 'better-sqlite3'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type ClaimRef,
  type Outcome,
  beginEvents,
  extendLease,
  failHeldStatement,
  holdLaneStatement,
  migrateOutbox,
  newEventId,
  resumeStatement,
  settleEvents,
  toSql,
} from '../src/index.ts'
import {
  type SqlText,
  type TakeOptions,
  firstEventIdAt,
  giveUpStatement,
  raw,
  replayStatement,
  retryNowStatement,
} from '../src/internal.ts'
import { cancelStatement } from '../src/lib/cancel.ts'
import { pruneStatement } from '../src/lib/cleanup.ts'
import { heldEndpointsStatement } from '../src/lib/hold.ts'
import { type FindOptions, findStatement } from '../src/lib/list.ts'
import { lineUpStatement, lookStatement } from '../src/lib/lane.ts'
import type { LaneShare } from '../src/lib/lane-ref.ts'
import { oldestStatement } from '../src/lib/oldest.ts'
import { expireStatement, expiryStepStatement as expiryLook } from '../src/lib/expire.ts'
import { deleteUnusedStatement } from '../src/lib/payload.ts'
import { takeStatement } from '../src/lib/take.ts'
import { fromBetterSqlite, sqliteDialect } from '../src/sqlite.ts'
import { statementOf } from './statement-of.ts'

const now = Date.now()
const db = { dialect: sqliteDialect }
const refs = Array.from({ length: 25 }, (): ClaimRef => ({ id: newEventId(), gen: now }))
const ref: ClaimRef = { id: newEventId(), gen: now }
const ids = refs.map(({ id }) => id)
const take = (rows: TakeOptions['rows'], as: TakeOptions['as']) =>
  takeStatement(sqliteDialect, { rows, as, limit: 25, leaseMs: 60_000, now })
const settle = (outcomes: Outcome[]) => statementOf(sqliteDialect, (one) => settleEvents(one, outcomes, { now }))
const [fromId, toId] = [firstEventIdAt(now - 600_000), firstEventIdAt(now)]

const list = (by: FindOptions['by']): SqlText => {
  const found = findStatement(db, { by, workspaceId: 'w', before: 'evt_g', rows: 51, shows: 'some' })
  return { ...found, sql: `${found.sql} select id from found where id >= (select id from reached)` }
}

const LANES: [LaneShare, LaneShare] = [
  { workspaceId: 'ws_1', endpointId: 'ep_1', count: 5 },
  { workspaceId: 'ws_1', endpointId: 'ep_2', count: 5 },
]
const READY = 'INDEX pending_events_ready (workspace_id'

/** Each statement, and the access paths to `pending_events` that it may use. */
const STATEMENTS: [string, SqlText, string[]][] = [
  ['look', lookStatement(db, { behind: { ws_1: 'ep_1' } }), [READY, 'INDEX pending_events_due (due_at']],
  ['claim of a lane', take({ kind: 'lanes', lanes: LANES.slice(0, 1) }, 'claim'), [READY, 'PRIMARY KEY (id=?)']],
  ['claim of lanes', take({ kind: 'lanes', lanes: LANES }, 'claim'), [READY, 'PRIMARY KEY (id=?)']],
  ['putting in line', lineUpStatement(db, { now }), ['INDEX pending_events_due (due_at', 'PRIMARY KEY (id=?)']],
  ['claim of what is due', take({ kind: 'due' }, 'claim'), ['INDEX pending_events_due (due_at', 'PRIMARY KEY (id=?)']],
  ['claim by name', take({ kind: 'named', claims: refs }, 'claim'), ['PRIMARY KEY (id=?)']],
  ['sweep of due rows', take({ kind: 'due' }, 'sweep'), ['INDEX pending_events_due (due_at', 'PRIMARY KEY (id=?)']],
  [
    'sweep of first sends',
    take({ kind: 'first-sends', fromId, toId }, 'sweep'),
    ['PRIMARY KEY (id>? AND id<?)', 'PRIMARY KEY (id=?)'],
  ],
  [
    'hourly sweep',
    take({ kind: 'dispatched', afterId: fromId, toId, createdBefore: now }, 'sweep'),
    ['PRIMARY KEY (id>? AND id<?)', 'PRIMARY KEY (id=?)'],
  ],
  ['completing', await settle(refs.map((claim) => ({ settle: 'complete', claim }))), ['PRIMARY KEY (id=?)']],
  ['settle', await settle(refs.map((claim) => ({ settle: 'fail', claim, error: 'e' }))), ['PRIMARY KEY (id=?)']],
  ['lease', await statementOf(sqliteDialect, (one) => extendLease(one, refs, 60_000, { now })), ['PRIMARY KEY (id=?)']],
  [
    'begin',
    await statementOf(sqliteDialect, (one) => beginEvents(one, refs)),
    ['PRIMARY KEY (id=?)', 'INDEX pending_events_ready (workspace_id=?'],
  ],
  [
    'clean-up',
    pruneStatement(db, { status: 'failed', ageMs: 86_400_000, limit: 500, now }),
    ['INDEX pending_events_settled (status=? AND completed_at', 'PRIMARY KEY (id=?)'],
  ],
  ['clean-up of payloads', deleteUnusedStatement(db, { afterId: 0, toId: 500 }), ['PRIMARY KEY (id>? AND id<?)']],
  [
    'look for expired rows',
    expiryLook(db, { maxAgeMs: 86_400_000, afterId: fromId, toId, limit: 500, now }),
    ['PRIMARY KEY (id>? AND id<?)', 'INDEX pending_events_expiring (expires_at>? AND expires_at<?)'],
  ],
  [
    'cancelling an event',
    cancelStatement(db, { eventId: newEventId(), workspaceId: 'ws_1', limit: 25 }),
    ['PRIMARY KEY (id>? AND id<?)', 'PRIMARY KEY (id=?)'],
  ],
  ['expiring', expireStatement(db, refs, { maxAgeMs: 86_400_000, now }), ['PRIMARY KEY (id=?)']],
  [
    'resume',
    resumeStatement(db, { endpointId: 'ep_1', limit: 25, now }),
    ['INDEX pending_events_held (endpoint_id=?', 'PRIMARY KEY (id=?)'],
  ],
  [
    'failing what is held for an endpoint that is gone',
    failHeldStatement(db, { endpointId: 'ep_1', error: 'gone', limit: 25 }),
    ['INDEX pending_events_held (endpoint_id=?', 'PRIMARY KEY (id=?)'],
  ],
  [
    'looking for endpoints with held rows',
    heldEndpointsStatement(db, { limit: 25 }),
    ['INDEX pending_events_held (endpoint_id>?'],
  ],
  [
    'the oldest rows',
    oldestStatement(db, { withHeld: true }),
    [READY, 'INDEX pending_events_due', 'INDEX pending_events_held (endpoint_id'],
  ],
  ['list of what is at rest', list('at-rest'), ['INDEX pending_events_at_rest (workspace_id=? AND id>? AND id<?)']],
  [
    'list of all parts',
    list('parts'),
    [
      'INDEX pending_events_at_rest (workspace_id=? AND id>? AND id<?)',
      'INDEX pending_events_ready (workspace_id=?',
      'INDEX pending_events_due',
    ],
  ],
  ['list by the keys of everybody', list('keys'), ['PRIMARY KEY (id>? AND id<?)']],
  ['list of an event', list({ eventId: newEventId() }), ['PRIMARY KEY (id>? AND id<?)']],
  [
    'replay of an endpoint',
    replayStatement(db, { workspaceId: 'ws_1', endpointId: 'ep_1', settledAfter: 1 }, { limit: 25, now }),
    [
      'INDEX pending_events_replay (workspace_id=? AND endpoint_id=? AND status=? AND completed_at',
      'PRIMARY KEY (id=?)',
    ],
  ],
  [
    'hold of a lane',
    holdLaneStatement(db, { workspaceId: 'ws_1', endpointId: 'ep_1', reason: 'blocked', guard: raw('1 = 1') }),
    [READY, 'PRIMARY KEY (id=?)'],
  ],
  ['retry now', retryNowStatement(db, ref, { now }), ['PRIMARY KEY (id=?)']],
  ['give up', giveUpStatement(ref, { now }), ['PRIMARY KEY (id=?)']],
  [
    'replay by time',
    replayStatement(db, { settledAfter: 1 }, { limit: 25, now }),
    ['INDEX pending_events_settled (status=? AND completed_at', 'PRIMARY KEY (id=?)'],
  ],
  ...([{}, { workspaceId: 'ws_1' }, { workspaceId: 'ws_1', endpointId: 'ep_1' }] as const).map(
    (filter): [string, SqlText, string[]] => [
      `replay by ids and ${Object.keys(filter).join()}`,
      replayStatement(db, { ids, ...filter }, { limit: 25, now }),
      ['PRIMARY KEY (id=?)'],
    ],
  ),
]

async function open(): Promise<Database.Database> {
  const connection = new Database(':memory:')
  await migrateOutbox(fromBetterSqlite(connection))
  return connection
}

type Kind = 'in line' | 'waiting' | 'dispatched' | 'failed' | 'held'

/** Inserts rows of one workspace, of these kinds in turn and over this many endpoints. */
function fill(connection: Database.Database, count: number, kinds: readonly Kind[], endpoints: number): void {
  const insert = connection.prepare(`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, status, hold_reason, due_at, ready, gen, created_at, completed_at, payload)
    values (?, 'w', 't', ?, ?, ?, ?, ?, ?, ?, ?, '{}')`)
  connection.transaction(() => {
    for (let row = 0; row < count; row++) {
      const kind = kinds[row % kinds.length]
      insert.run(
        newEventId(),
        `ep_${row % endpoints}`,
        kind === 'failed' || kind === 'held' ? kind : 'pending',
        kind === 'held' ? 'blocked' : null,
        kind === 'waiting' || kind === 'in line' ? now + row : null,
        kind === 'in line' ? 1 : 0,
        now,
        now,
        kind === 'failed' ? now - row : null,
      )
    }
  })()
}

const MIXED = ['waiting', 'dispatched', 'failed', 'held'] as const

/** The rows of the table when it is last analyzed, and those that are added later. */
const STATES: Record<string, (connection: Database.Database) => void> = {
  'an empty table': () => {},
  '20,000 rows': (connection) => fill(connection, 20_000, MIXED, 50),
  '20,000 rows after ANALYZE': (connection) => {
    fill(connection, 20_000, MIXED, 50)
    connection.exec('analyze')
  },
  ...Object.fromEntries(
    (['in line', ...MIXED] as const).flatMap((kind) =>
      [1, 5, 10, 20, 1000].map((count) => [
        `${count} rows of one endpoint after ANALYZE, all ${kind}`,
        (connection: Database.Database) => {
          fill(connection, count, [kind], 1)
          connection.exec('analyze')
        },
      ]),
    ),
  ),
}

/** The lines of a statement's plan that read `pending_events`, under its own name or an alias. */
function readsOf(connection: Database.Database, statement: SqlText): string[] {
  const { sql, params } = toSql(statement, 'sqlite')
  const plan = connection.prepare(`explain query plan ${sql}`).all(...params) as { detail: string }[]
  return plan
    .map(({ detail }) => detail)
    .filter((detail) => /pending_events|^(SCAN|SEARCH) (held|due|delivery)\b/.test(detail))
}

describe.each(Object.entries(STATES))('with %s', (_, makeState) => {
  let connection: Database.Database
  beforeAll(async () => {
    connection = await open()
    makeState(connection)
  })

  it.each(STATEMENTS)('%s reads by key or by a partial index, never the whole table', (__, statement, ways) => {
    const reads = readsOf(connection, statement)
    expect(reads.length).toBeGreaterThan(0)
    expect(reads.filter((read) => read.startsWith('SCAN') && !ways.some((way) => read.includes(way)))).toEqual([])
    expect(reads.filter((read) => !ways.some((way) => read.includes(way)))).toEqual([])
  })
})

it('a settle reads the list of its rows once, not once for each row', async () => {
  const connection = await open()
  fill(connection, 20_000, MIXED, 50)
  const { sql, params } = toSql(await settle(refs.map((claim) => ({ settle: 'fail', claim, error: 'e' }))), 'sqlite')
  const plan = connection.prepare(`explain query plan ${sql}`).all(...params) as { detail: string }[]
  const [outer, inner] = plan
    .map(({ detail }) => detail)
    .filter((detail) => /(move|pending_events)$|PRIMARY KEY/.test(detail))
    .filter((detail) => !detail.startsWith('MATERIALIZE'))
  expect([outer, inner]).toEqual(['SCAN move', expect.stringContaining('SEARCH pending_events USING PRIMARY KEY')])
})
