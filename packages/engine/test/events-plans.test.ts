// The rows that a publish, a list of events, a replay and retention read beside those of another workspace. SQLite shows the
// access paths; Postgres also shows the rows read, in tables that were never analyzed, or were analyzed while they were small.
import { type SqlText, firstEventIdAt } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import type { Engine } from '../src/index.ts'
import { recordedRig } from './plans.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const NEIGHBOURS = 20_000
const OWN = 3000
const DAY = 86_400_000

const PER_MS = onPostgres ? 1_048_576 : 4096

/** The time of the events of each workspace: those of w0 are past their retention. */
const BEGAN = [20, 5, 4].map((days) => Date.now() - days * DAY) as [number, number, number]

const id = (prefix: string, n: string): string =>
  onPostgres ? `'${prefix}-7000-8000-' || lpad(${n}::text, 12, '0')` : `printf('${prefix}-7000-8000-%012d', ${n})`

/** Events with their payloads, each with a delivered attempt, and every tenth with a failed row. */
function fill(part: 0 | 1 | 2, count: number): string[] {
  const [workspaceId, prefix, first] = [`w${part}`, firstEventIdAt(BEGAN[part]), (part + 1) * 1_000_000]
  const numbers = onPostgres
    ? `generate_series(1, ${count}) as numbers (n)`
    : `(with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${count}) select n from numbers)`
  return [
    `insert into keepsend_payloads (id, event_id, payload) select ${first} + n, ${id(prefix, 'n')}, '{}' from ${numbers}`,
    `insert into keepsend_events (id, workspace_id, event_type, channels, created_at, deliveries, payload_id)
     select ${id(prefix, 'n')}, '${workspaceId}', 'a.b', '[]', 1, 2, ${first} + n from ${numbers}`,
    `insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at,
       total_us, outcome, url)
     select ${BigInt(BEGAN[part]) * BigInt(PER_MS)} + n, ${id(prefix, 'n')} || '.ep_1', 1, '${workspaceId}', 'ep_1', 'a.b', 1, 'publish', 1, 1, 'delivered', ''
     from ${numbers}`,
    `insert into pending_events (id, workspace_id, event_type, endpoint_id, status, created_at, completed_at, payload_id)
     select ${id(prefix, 'n')} || '.ep_2', '${workspaceId}', 'a.b', 'ep_2', 'failed', 1, 1, ${first} + n
     from ${numbers} where n % 10 = 0`,
  ]
}

async function filled(isAnalyzed: boolean) {
  const made = await recordedRig({ history: { retentionMs: 10 * DAY }, failedRetentionMs: 1e14, maxAgeMs: 300 * DAY })
  const tables = ['keepsend_payloads', 'keepsend_events', 'keepsend_attempts', 'pending_events']
  if (onPostgres)
    for (const table of ['keepsend_payloads', 'keepsend_events', 'keepsend_attempts_default', 'pending_events'])
      await made.exec(`alter table ${table} set (autovacuum_enabled = off)`)
  for (const sql of fill(1, OWN)) await made.exec(sql)
  if (isAnalyzed) for (const table of tables) await made.exec(`analyze ${table}`)
  for (const sql of [...fill(0, NEIGHBOURS / 2), ...fill(2, NEIGHBOURS / 2)]) await made.exec(sql)
  await made.addEndpoint()
  await made.exec(`update keepsend_endpoints set id = 'ep_1'`)
  await made.exec(`update keepsend_subscriptions set endpoint_id = 'ep_1'`)
  made.statements()
  return made
}

interface Plan {
  'Node Type': string
  'Total Cost': number
  'Relation Name'?: string
  'Index Name'?: string
  'Actual Rows'?: number
  'Actual Loops'?: number
  'Rows Removed by Filter'?: number
  Plans?: Plan[]
}

const LARGE = /^(keepsend_payloads|keepsend_events|keepsend_attempts|pending_events)/
// By the names that the statements give them.
const SCAN =
  /^SCAN (keepsend_(payloads|events|attempts)|pending_events|event|attempt|stored|standing|delivery)\b|AUTOMATIC|INDEX keepsend_events_workspace \((?!workspace_id=\?)/

/** The rows that a statement reads of tables, on Postgres; the access paths that scan one, on SQLite. */
async function readsOf({ db }: Pick<Awaited<ReturnType<typeof recordedRig>>, 'db'>, { sql, params }: SqlText) {
  if (!onPostgres) {
    const { rows } = await db.run<{ detail: string }>({ sql: `explain query plan ${sql}`, params })
    const scans = rows.map(({ detail }) => detail).filter((detail) => SCAN.test(detail))
    return { scans, read: 0 }
  }
  // An insert is not run again: its plan alone is looked at.
  const analyze = !sql.includes('insert into')
  const { rows } = await db.run({ sql: `explain (${analyze ? 'analyze, ' : ''}format json) ${sql}`, params })
  const shown = rows[0]?.['QUERY PLAN']
  const found = (typeof shown === 'string' ? JSON.parse(shown) : shown) as { Plan: Plan }[]
  const nodes = (one: Plan): Plan[] => [one, ...(one.Plans ?? []).flatMap(nodes)]
  const tables = found
    .flatMap(({ Plan: whole }) => nodes(whole))
    .filter(
      (node) => (node['Relation Name'] ?? node['Index Name']) !== undefined && node['Node Type'] !== 'ModifyTable',
    )
  const read = tables.map(
    (node) => ((node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)) * (node['Actual Loops'] ?? 1),
  )
  return {
    scans: tables
      .filter((node) => node['Node Type'] === 'Seq Scan' && LARGE.test(node['Relation Name'] ?? ''))
      // Of an empty partition, or of one with a page.
      .filter((node) =>
        analyze ? (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0) > 0 : node['Total Cost'] > 20,
      )
      .map((node) => `${node['Node Type']} ${node['Relation Name']}`),
    read: read.reduce((sum, count) => sum + count, 0),
  }
}

const EVENT = `${firstEventIdAt(BEGAN[1])}-7000-8000-000000000250`

/** Each call, and the most rows that one of its statements may read, of all tables and indexes. */
const CALLS: [name: string, call: (engine: Engine) => Promise<unknown>, most: number][] = [
  ['a publish', (engine) => engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} }), 20],
  ['a repeated publish', (engine) => engine.publish({ type: 'a.b', workspaceId: 'w1', data: {}, id: EVENT }), 20],
  ['a list', ({ events }) => events.list('w1', { limit: 50 }), 400],
  ['its next page', ({ events }) => events.list('w1', { limit: 50, before: EVENT }), 400],
  ['a list of one type', ({ events }) => events.list('w1', { limit: 50, type: 'c.d' }), 2100],
  ['a list of one trace', ({ events }) => events.list('w1', { limit: 50, traceId: 'a' }), 2100],
  [
    'a list between two times',
    ({ events }) => events.list('w1', { limit: 50, since: BEGAN[1], until: BEGAN[1] + 1 }),
    400,
  ],
  ['an event', ({ events }) => events.get('w1', EVENT), 20],
  ['a replay', ({ deliveries }) => deliveries.replay('w1', `${EVENT.replace(/.$/, '1')}.ep_1`), 20],
  ['maintenance', ({ worker }) => worker.maintain(), 6000],
]

describe.each([
  ['never analyzed', false],
  ['analyzed while they were small', true],
])('in tables that were %s', (_state, isAnalyzed) => {
  it('each call reads its own rows by an index, and a bounded number of them', async () => {
    const made = await filled(isAnalyzed)
    for (const [name, call, most] of CALLS) {
      const { engine } = made
      await call(engine)
      const statements = made.statements()
      expect(statements.length, name).toBeGreaterThan(0)
      for (const statement of statements) {
        // Statements that make partitions have no plan.
        const touches = /keepsend_events|keepsend_attempts/.test(statement.sql)
        if (!touches || /^\s*(create|alter|drop)/.test(statement.sql)) continue
        const { scans, read } = await readsOf(made, statement)
        expect(scans, `${name}: ${statement.sql}`).toEqual([])
        expect(read, `${name}: ${statement.sql}`).toBeLessThanOrEqual(most)
      }
      made.statements()
    }
  })
})
