// The rows that lists across all workspaces read, in tables that were never analyzed, or were analyzed while they were nearly empty.
// SQLite shows the access paths; Postgres also the rows that were read, which are as many beside 30,000 rows as beside 3,000.
import { type SqlText, firstEventIdAt, raw } from '@keepsend/outbox/internal'
import { expect, it } from 'vitest'
import { type Engine, allWorkspaces } from '../src/index.ts'
import { readsOf, recordedRig } from './plans.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const PER_MS = onPostgres ? 1_048_576n : 4096n
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** The events of a workspace are of one time, within their retention. */
const BEGIN = Date.now() - 24 * HOUR_MS
const prefixOf = (place: number): string => `${firstEventIdAt(BEGIN + place * HOUR_MS)}-7000-8000-`
const keyOf = (place: number, n: string): string =>
  `'${prefixOf(place)}' || ${onPostgres ? `lpad(${n}::text, 12, '0')` : `printf('%012d', ${n})`}`

/** Events, attempts, rows and problems of a workspace. One attempt a second, of which one in 50
 * has failed. */
function statementsOf(place: number, count: number): string[] {
  const [workspaceId, endpoint] = [`w${place}`, `'ep_w${place}' || (n % 10)`]
  const numbers = onPostgres
    ? `generate_series(1, ${count}) as numbers (n)`
    : `(with recursive n (value) as (select 1 union all select value + 1 from n where value < ${count}) select value as n from n) as numbers`
  const key = keyOf(place, 'n')
  return [
    `insert into keepsend_events (id, workspace_id, event_type, channels, created_at, deliveries, payload_id)
     select ${key}, '${workspaceId}', 'a.b', '[]', 1, 2, ${place} * 1000000 + n from ${numbers}`,
    `insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, http_status, url)
     select (select ms from keepsend_clock) * ${PER_MS} - cast(n as bigint) * 1000 * ${PER_MS} + ${place}, ${key} || '.' || ${endpoint}, 1, '${workspaceId}', ${endpoint},
       'a.b', 1, 'publish', 1, 1, case n % 50 when 7 then 'retry' else 'delivered' end, 200, '' from ${numbers}`,
    `insert into pending_events (id, workspace_id, event_type, endpoint_id, status, created_at, completed_at, payload)
     select ${key} || '.ep_row', '${workspaceId}', 'a.b', 'ep_row', 'failed', 1, 1, '{}' from ${numbers} where n <= 20000`,
    `insert into keepsend_problems (endpoint_id, error_class, http_status, workspace_id, state, state_since, first_seen_at, last_seen_at,
       attempts, deliveries, last_error, last_delivery_id)
     select ${endpoint}, 'http_5xx', 100 + n % 900, '${workspaceId}', 'open', 1, 1, ms - n, 1, 1, 'HTTP 500', 'evt'
     from ${numbers}, keepsend_clock where n <= 900`,
  ]
}

const TABLES = ['keepsend_events', 'keepsend_attempts', 'pending_events', 'keepsend_problems']

async function filled(count: number, isAnalyzed: boolean) {
  const made = await recordedRig({ history: true })
  const found = onPostgres
    ? await made.select(`select inhrelid::regclass::text as name from pg_inherits where inhparent::regclass::text like 'keepsend%'
        and inhparent in (select oid from pg_class where relkind = 'p' and relnamespace = current_schema()::regnamespace)`)
    : []
  for (const name of onPostgres
    ? ['pending_events', 'keepsend_problems', ...found.map((row) => String(row['name']))]
    : [])
    await made.exec(`alter table ${name} set (autovacuum_enabled = off)`)
  const run = async (place: number, rows: number) => {
    for (const sql of statementsOf(place, rows)) await made.db.run(raw(sql))
  }
  await run(1, isAnalyzed ? 100 : count)
  if (isAnalyzed) for (const table of TABLES) await made.exec(`analyze ${table}`)
  for (const place of [0, 2]) await run(place, count)
  made.statements()
  return made
}

const EVENT = `${prefixOf(1)}000000000050`
const DELIVERY = `${EVENT}.ep_w10`
const idAt = (ms: number): string => String(BigInt(ms) * PER_MS)

type List = (engine: Engine) => Promise<{ rows: unknown[] }>

const attempts =
  (filter: Partial<Parameters<Engine['attempts']['list']>[1]>): List =>
  ({ attempts: of }) =>
    of.list(allWorkspaces, { limit: 50, ...filter })
const deliveries =
  (filter: Partial<Parameters<Engine['deliveries']['list']>[1]>): List =>
  ({ deliveries: of }) =>
    of.list(allWorkspaces, { limit: 50, ...filter })
const events =
  (filter: Partial<Parameters<Engine['events']['list']>[1]>): List =>
  ({ events: of }) =>
    of.list(allWorkspaces, { limit: 50, ...filter })

/**
 * Each call, the rows that it shows, and the most that it may read: 2,000 of what it searches, twice if it first looks for the
 * end, thrice if it looks them up by a bitmap.
 */
const CALLS: [name: string, call: List, shown: number, most: number][] = [
  ['attempts', attempts({}), 50, 200],
  ['their next page', attempts({ before: idAt(Date.now() - MINUTE_MS) }), 50, 200],
  ['attempts of a time', attempts({ since: Date.now() - HOUR_MS, until: Date.now() - MINUTE_MS }), 50, 200],
  ['failed attempts', attempts({ limit: 20, outcome: 'unsuccessful' }), 20, 4200],
  ['attempts of a delivery', attempts({ deliveryId: DELIVERY }), 1, 20],
  ['deliveries', deliveries({}), 50, 2600],
  ['failed deliveries', deliveries({ status: 'failed' }), 50, 6500],
  ['deliveries of an event', deliveries({ eventId: EVENT }), 2, 20],
  ['a delivery', async (engine) => ({ rows: [await engine.deliveries.get(allWorkspaces, DELIVERY)] }), 1, 20],
  [
    'a delivery with its attempts',
    async (engine) => (await engine.deliveries.getWithAttempts(allWorkspaces, DELIVERY)).latestAttempts ?? { rows: [] },
    1,
    20,
  ],
  ['events', events({}), 50, 400],
  ['their next page', events({ before: EVENT }), 50, 400],
  ['the rest of an id', events({ before: `${EVENT}.1` }), 50, 400],
  ['events of no type', events({ type: 'c.d' }), 0, 2200],
  ['events of no trace', events({ traceId: 'a' }), 0, 2200],
  ['problems', ({ problems }) => problems.list(allWorkspaces, { limit: 50 }), 50, 200],
]

const LARGE = {
  postgres: /^(keepsend_(events|attempts|problems)|pending_events)/,
  sqlite:
    /^(SCAN|SEARCH) (keepsend_(events|attempts|problems)|pending_events|attempt|later|delivery|problem|standing)\b/,
}

/** A scan of a table; one of an empty partition reads nothing. */
function isScan({ by, rows }: { by: string; rows: number }): boolean {
  if (onPostgres) return /Seq Scan/.test(by) && rows > 0
  // The key of a table, backwards, is in the order of a list.
  return /AUTOMATIC/.test(by) || (by.startsWith('SCAN') && !/USING (COVERING )?INDEX/.test(by))
}

it.each([
  ['never', 3000, false],
  ['before', 3000, true],
  ...(onPostgres
    ? ([
        ['never', 30_000, false],
        ['before', 30_000, true],
      ] as const)
    : []),
] as const)(
  'each reads a bounded number of rows, in tables that were analyzed %s, beside twice %i',
  async (_, count, isAnalyzed) => {
    const { engine, db, statements } = await filled(count, isAnalyzed)
    const wrong: unknown[] = []
    for (const [name, call, shown, most] of CALLS) {
      statements()
      const { rows } = await call(engine)
      const run: SqlText[] = statements()
      const reads = []
      for (const statement of run) reads.push(...(await readsOf(db, statement, LARGE)))
      const met = reads.reduce((sum, read) => sum + read.rows, 0)
      const scans = reads.filter(isScan)
      if (rows.length !== shown || met > most || scans.length > 0 || reads.length === 0)
        wrong.push({ name, shown: rows.length, met, scans, reads })
    }
    expect(wrong).toEqual([])
  },
  300_000,
)
