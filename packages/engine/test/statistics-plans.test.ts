// The rows that a series, a summary and a roll-up read beside the attempts and sums of another workspace, in tables that were never
// analyzed, or were analyzed while they were empty. SQLite shows the access paths; Postgres also the rows read.
import { type Statement, toSql } from '@keepsend/outbox'
import { expect, it } from 'vitest'
import type { Engine } from '../src/index.ts'
import { recordedRig } from './plans.ts'
import { NOON, onPostgres, statisticsOf } from './statistics-rig.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000
const PER_MS = onPostgres ? 1_048_576 : 4096

const numbers = (count: number) =>
  onPostgres
    ? `generate_series(0, ${count - 1}) as numbers (n)`
    : `(with recursive n (n) as (select 0 union all select n + 1 from n where n < ${count - 1}) select n from n) as numbers`

/** An hour of minutes and 5 days of hours of 500 endpoints of w0, 5 of w1; and attempts of the last minute. */
async function beside(analyzed: boolean) {
  const made = await recordedRig({ history: true })
  const own = { ...made, ...statisticsOf(made) }
  if (onPostgres)
    for (const table of ['keepsend_attempts_default', 'keepsend_statistics'])
      await made.exec(`alter table ${table} set (autovacuum_enabled = off)`)
  if (analyzed) await made.exec('analyze')
  await own.setClock(NOON)
  const endpoint = `case when n % 505 < 500 then 'w0' else 'w1' end, 'ep_' || (n % 505)`
  for (const [span, ms, count] of [
    ['minute', MINUTE, 60],
    ['hour', HOUR, 120],
  ] as const)
    await made.exec(`
      insert into keepsend_statistics (span, at, workspace_id, endpoint_id, delivered, retried, deferred, failed, replayed, tested, sketch)
      select '${span}', ${NOON} - ${ms} * (1 + n / 505), ${endpoint}, 1, 0, 0, 0, 0, 0, '{"400":1}' from ${numbers(count * 505)}`)
  await made.exec(`update keepsend_statistics_passes set done_to = case source when 'attempt' then (${NOON} - 60000) * ${PER_MS}
    when 'minute' then ${NOON} - 3600000 else ${NOON} - 86400000 end`)
  // Of the minute before, for a roll-up, and of the present one.
  await made.exec(`
    insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, url)
    select cast(${NOON} - 59000 + n as bigint) * ${PER_MS}, 'd' || n, 1, ${endpoint}, 'a.b', 1, 'publish', 1, 50000,
      case when n % 7 = 0 then 'failed' else 'delivered' end, '' from ${numbers(50_500)}`)
  return own
}

interface Plan {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Actual Rows'?: number
  'Actual Loops'?: number
  'Rows Removed by Filter'?: number
  Plans?: Plan[]
}

/** The access paths to attempts and sums, and on Postgres the rows read. */
async function readsOf(
  { db }: Pick<Awaited<ReturnType<typeof beside>>, 'db'>,
  statement: Statement,
  run: boolean,
): Promise<{ by: string; rows: number }[]> {
  const { sql, params } = toSql(statement, db.dialect.name)
  if (!onPostgres) {
    const { rows } = await db.run<{ detail: string }>({ sql: `explain query plan ${sql}`, params })
    return rows
      .filter(({ detail }) => /^(SCAN|SEARCH) (sums|attempt|keepsend_statistics|keepsend_attempts)\b/.test(detail))
      .map(({ detail }) => ({ by: detail, rows: 0 }))
  }
  const { rows } = await db.run({ sql: `explain (${run ? 'analyze, ' : ''}format json) ${sql}`, params })
  const found = rows[0]?.['QUERY PLAN']
  const [plan] = (typeof found === 'string' ? JSON.parse(found) : found) as { Plan: Plan }[]
  const nodes = (one: Plan): Plan[] => [one, ...(one.Plans ?? []).flatMap(nodes)]
  return (plan ? nodes(plan.Plan) : [])
    .filter((node) => node['Node Type'] !== 'ModifyTable')
    .filter((node) => /^keepsend_(statistics|attempts)(_default|$)/.test(node['Relation Name'] ?? ''))
    .map((node) => ({
      by: `${node['Node Type']} ${node['Index Name'] ?? ''}`.trim(),
      rows: ((node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)) * (node['Actual Loops'] ?? 0),
    }))
}

// On SQLite `recent` is named `attempt` where it is read again; it is no table.
const PAST_OTHERS = /Seq Scan|SCAN (sums|keepsend)|AUTOMATIC|at[<>]\?\)$/
const BY_KEY =
  /statistics_pkey|PRIMARY KEY \(span=\? AND at=\? AND workspace_id=\?|keepsend_attempts_(workspace|endpoint|failed_endpoint)\b|attempts_default_(workspace_id|endpoint_id)_id_idx|attempts_default_pkey|INTEGER PRIMARY KEY \(rowid=\?\)|SCAN attempt/

/** Each call, and the most rows that it may read: its sums, and 100 attempts of each of its endpoints in the last minute. */
const CALLS: [name: string, call: ({ statistics }: Engine) => Promise<unknown>, most: number][] = [
  [
    'a series of an endpoint by minute',
    ({ statistics }) => statistics.series('w1', { by: 'minute', since: NOON - HOUR, endpointId: 'ep_502' }),
    300,
  ],
  [
    'a series of an endpoint by hour',
    ({ statistics }) => statistics.series('w1', { by: 'hour', since: NOON - 4 * DAY, endpointId: 'ep_502' }),
    500,
  ],
  [
    'a series of an endpoint by day',
    ({ statistics }) => statistics.series('w1', { by: 'day', since: NOON - 30 * DAY, endpointId: 'ep_502' }),
    500,
  ],
  [
    'a series of a workspace by hour',
    ({ statistics }) => statistics.series('w1', { by: 'hour', since: NOON - DAY }),
    900,
  ],
  [
    'a series of another’s endpoint',
    ({ statistics }) => statistics.series('w1', { by: 'hour', since: NOON - DAY, endpointId: 'ep_7' }),
    10,
  ],
  [
    'a summary',
    ({ statistics }) => statistics.summary('w1', { since: NOON - DAY, endpointIds: ['ep_500', 'ep_502', 'ep_504'] }),
    1600,
  ],
]

it.each([
  ['never analyzed', false],
  ['analyzed while they were empty', true],
])(
  'a series and a summary read their own attempts and sums, in tables that were %s',
  { timeout: 120_000 },
  async (_, analyzed) => {
    const made = await beside(analyzed)
    for (const [name, call, most] of CALLS) {
      made.statements()
      await call(made.engine)
      const reads = []
      for (const statement of made.statements()) reads.push(...(await readsOf(made, statement, true)))
      expect(reads.length, name).toBeGreaterThan(1)
      expect(
        reads.filter(({ by }) => PAST_OTHERS.test(by) || !BY_KEY.test(by)),
        name,
      ).toEqual([])
      expect(
        reads.reduce((sum, { rows }) => sum + rows, 0),
        name,
      ).toBeLessThanOrEqual(most)
    }
  },
)

it.each([
  ['never analyzed', false],
  ['analyzed while they were empty', true],
])(
  'a roll-up and the retention find their rows by the key, in tables that were %s',
  { timeout: 120_000 },
  async (_, analyzed) => {
    const made = await beside(analyzed)
    await made.setClock(NOON + 30 * DAY)
    made.statements()
    // The minutes go into their hour first.
    let round = await made.engine.worker.maintain()
    while (round.more && round.countedAttempts === 0) round = await made.engine.worker.maintain()
    expect(round).toMatchObject({ countedAttempts: 20_000, more: true })
    // Statements that make partitions have no plan.
    const statements = made
      .statements()
      .filter(({ sql }) => /keepsend_(statistics|attempts)\b/.test(sql) && !/^\s*(create|alter|drop)/.test(sql))
    const reads = []
    for (const statement of statements) reads.push(...(await readsOf(made, statement, false)))
    expect(reads.length).toBeGreaterThan(20)
    const wrong = /Seq Scan|SCAN (sums|attempt|keepsend)|AUTOMATIC/
    expect(reads.filter(({ by }) => wrong.test(by))).toEqual([])
  },
)
