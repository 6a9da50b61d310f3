// The access paths of the statements on problems, in a table that was never analyzed, or was analyzed while it had one row.
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { expect, it } from 'vitest'
import { listProblems } from '../src/lib/problems/problem-list.ts'
import { recordedRig } from './plans.ts'
import { CLOSED, EVENT, HOUR_MS } from './problems-world.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const NEIGHBOURS = onPostgres ? 20_000 : 5000

function numbersTo(count: number): SqlText {
  return onPostgres
    ? sqlText`generate_series(1, cast(${count} as integer)) as n (n)`
    : sqlText`(with recursive n (n) as (select 1 union all select n + 1 from n where n < ${count}) select n from n) as n`
}

/** Problems of a workspace, of one endpoint each ten. */
function problemsOf(workspaceId: string, count: number): SqlText {
  const endpoint = raw(`'ep_${workspaceId}' || (n / 10)`)
  return sqlText`
    insert into keepsend_problems (endpoint_id, error_class, http_status, workspace_id, state, state_since, first_seen_at,
      last_seen_at, attempts, deliveries, last_error, last_delivery_id)
    select ${endpoint}, 'http_5xx', 500 + n % 10, cast(${workspaceId} as text), 'open', 1, 1, ms - n, 1, 1, 'HTTP 500', 'evt'
    from ${numbersTo(count)}, keepsend_clock`
}

/** Rows of another endpoint, which no statement below has to read. */
const heldRows = (count: number): SqlText => sqlText`
  insert into pending_events (id, workspace_id, event_type, endpoint_id, status, hold_reason, held_at, created_at, payload)
  select 'evt_0' || n || '.ep_other', 'a', 't', 'ep_other', 'held', 'replay', 1, 1, '{}' from ${numbersTo(count)}`

/** The index, or the scan, by which a line of a plan reads problems or claims. */
function pathOf(line: string): string | undefined {
  const [, scanned] = /(?:Seq Scan on|SCAN) (keepsend_problems|pending_events|problem|old|claim)\b/.exec(line) ?? []
  if (scanned !== undefined) return `scan of ${scanned}`
  const [, key] = /SEARCH (?:keepsend_problems|problem|claim) USING PRIMARY KEY \((\w+)/.exec(line) ?? []
  if (key !== undefined) return key === 'id' ? 'pending_events_pkey' : 'keepsend_problems_pkey'
  return /\b(keepsend_problems_\w+|pending_events_\w+)/.exec(line)?.[1]
}

const BY_WORKSPACE = ['keepsend_problems_workspace']
const BY_KEY = ['keepsend_problems_pkey']
const EXPECTED = {
  'a list': BY_WORKSPACE,
  'its next page': BY_WORKSPACE,
  'a list by state': BY_WORKSPACE,
  'a list by time': BY_WORKSPACE,
  // SQLite says so of the rows that the key found.
  'a list of an endpoint': onPostgres ? BY_KEY : [...BY_KEY, 'scan of problem'],
  'a list of all workspaces': ['keepsend_problems_seen'],
  'a change': BY_KEY,
  // Postgres names the index of the conflict.
  'a failure': onPostgres ? [...BY_KEY, 'pending_events_pkey'] : ['pending_events_pkey'],
  maintenance: onPostgres ? ['keepsend_problems_seen'] : [...BY_KEY, 'keepsend_problems_seen'],
  'a deletion': BY_KEY,
}

it.each(['never', 'with one row'])(
  'no statement reads other rows than its own in a table analyzed %s',
  async (when) => {
    const made = await recordedRig({ history: true, circuit: CLOSED, answer: () => 500 })
    for (const table of onPostgres ? ['keepsend_problems', 'pending_events'] : [])
      await made.exec(`alter table ${table} set (autovacuum_enabled = off)`)
    const { id } = await made.addEndpoint()
    const fail = async () => {
      await made.engine.publish(EVENT)
      await made.work()
    }
    await fail()
    if (when !== 'never') await made.exec('analyze')
    for (const workspaceId of ['a', 'z']) await made.db.run(problemsOf(workspaceId, NEIGHBOURS))
    await made.db.run(problemsOf('w1', 200))
    await made.db.run(heldRows(NEIGHBOURS))

    const paths: Record<string, string[]> = {}
    const explain = async (name: string, call: () => Promise<unknown>): Promise<void> => {
      made.statements()
      await call()
      const lines: string[] = []
      for (const { sql, params } of made.statements()) {
        if (!sql.includes('keepsend_problems')) continue
        const { rows } = await made.db.run<{ detail?: string; 'QUERY PLAN': string }>({
          sql: `explain ${onPostgres ? '' : 'query plan'} ${sql}`,
          params,
        })
        lines.push(...rows.map(({ detail, 'QUERY PLAN': line }) => detail ?? line))
      }
      // A range that is compared row by row would read other workspaces.
      expect(
        lines.filter((line) => /Filter: .*ROW/.test(line)),
        name,
      ).toEqual([])
      paths[name] = [...new Set(lines.flatMap((line) => pathOf(line) ?? []))].sort()
    }
    const { problems, worker } = made.engine
    const { rows, next } = await problems.list('w1', { limit: 50 })
    await explain('a list', () => problems.list('w1', { limit: 50 }))
    await explain('its next page', () => problems.list('w1', { limit: 50, before: next }))
    await explain('a list by state', () => problems.list('w1', { limit: 50, state: 'resolved' }))
    await explain('a list by time', () => problems.list('w1', { limit: 50, since: 1, until: 2 }))
    await explain('a list of an endpoint', () => problems.list('w1', { limit: 50, endpointId: id }))
    await explain('a list of all workspaces', () =>
      listProblems(made.db, undefined, { limit: 50, before: next, retentionMs: HOUR_MS }),
    )
    await explain('a change', () => problems.acknowledge('w1', rows[0]?.id ?? ''))
    await explain('a failure', fail)
    await explain('maintenance', () => worker.maintain())
    await explain('a deletion', () => made.engine.endpoints.delete('w1', id))
    expect(paths).toEqual(EXPECTED)
  },
)
