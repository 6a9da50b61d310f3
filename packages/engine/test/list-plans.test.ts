// How many rows a list, a replay, a deletion and the health check read beside the rows of another workspace, in a table that
// was never analyzed, or was analyzed while it was empty. SQLite shows the access paths; Postgres also shows the rows read,
// which are as many beside 200,000 rows as beside a thousand.
// D1 counts its rows itself: packages/adapter-cloudflare/test/workerd/lists.test.ts.
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { expect, it } from 'vitest'
import { type Engine, allWorkspaces } from '../src/index.ts'
import { maintainHeldRows } from '../src/lib/backlog/orphans.ts'
import { readsOf, recordedRig } from './plans.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'

const INSERT = `insert into pending_events (id, workspace_id, event_type, endpoint_id, status, hold_reason, due_at, ready, claimed_at, gen, created_at, completed_at, payload)`

/** Rows of a workspace, alternately due, waiting, held, failed, completed and (few) in flight, of 10 endpoints. */
function rowsOf(workspaceId: string, prefix: string, count: number): SqlText {
  const numbers = onPostgres
    ? sqlText`select n from generate_series(1, cast(${count} as integer)) as n`
    : sqlText`select value as n from n`
  const n = onPostgres
    ? raw('')
    : sqlText`with recursive n (value) as (select 1 union all select value + 1 from n where value < ${count})`
  const pad = onPostgres ? `lpad(n::text, 12, '0')` : `printf('%012d', n)`
  const state = (cases: string) => `case n % 5 ${cases} end`
  const select = `select '${prefix}-7000-8000-' || ${pad} || '.ep_${workspaceId}' || (n % 10), '${workspaceId}', 'a.b', 'ep_${workspaceId}' || (n % 10),
    ${state(`when 0 then 'pending' when 1 then 'pending' when 2 then 'held' when 3 then 'failed' else 'completed'`)},
    ${state(`when 2 then 'replay'`)}, ${state(`when 0 then 1 when 1 then 9000000000000 + n`)}, ${state(`when 0 then 1 else 0`)},
    case when n % 5 = 1 and n < 100 then 1 end, 1, 1, ${state(`when 3 then n when 4 then n`)}, '{}' from`
  return {
    sql: `${INSERT} ${n.sql} ${select} (${numbers.sql}) as numbers where true`,
    params: [...n.params, ...numbers.params],
  }
}

async function beside(neighbours: number, isAnalyzed: boolean) {
  const made = await recordedRig()
  if (onPostgres) {
    // Unlogged for speed: inserting the rows is not measured. Without autovacuum, which would analyze the table.
    await made.exec('alter table pending_events set unlogged')
    await made.exec('alter table pending_events set (autovacuum_enabled = off)')
  }
  for (let n = 0; n < 10; n++) {
    const { id } = await made.addEndpoint()
    await made.exec('update keepsend_endpoints set id = ? where id = ?', `ep_w1${n}`, id)
  }
  // The other workspace has newer and older rows.
  if (!isAnalyzed) await made.db.run(rowsOf('w0', 'evt_01900000-0000', neighbours / 2))
  await made.db.run(rowsOf('w1', 'evt_01910000-0000', 500))
  if (isAnalyzed) {
    await made.exec('analyze pending_events')
    await made.db.run(rowsOf('w0', 'evt_01900000-0000', neighbours / 2))
  }
  await made.db.run(rowsOf('w2', 'evt_01920000-0000', neighbours / 2))
  return made
}

const EVENT = 'evt_01910000-0000-7000-8000-000000000250'
const ENDPOINT = 'ep_w13'

/** Each call, and the most rows that it may read: 2,000 of a part that it searches, and a page of each lane. */
const CALLS: [name: string, call: (engine: Engine) => Promise<unknown>, most: number][] = [
  ['a list', ({ deliveries }) => deliveries.list('w1', { limit: 50 }), 2500],
  ['its next page', ({ deliveries }) => deliveries.list('w1', { limit: 50, before: EVENT }), 2500],
  ['a list of pending ones', ({ deliveries }) => deliveries.list('w1', { limit: 50, status: 'pending' }), 4500],
  ['a list of failed ones', ({ deliveries }) => deliveries.list('w1', { limit: 50, status: 'failed' }), 300],
  ['a list of delivered ones', ({ deliveries }) => deliveries.list('w2', { limit: 50, status: 'completed' }), 300],
  ['a list of one endpoint', ({ deliveries }) => deliveries.list('w1', { limit: 50, endpointId: ENDPOINT }), 4500],
  ['a list of one type', ({ deliveries }) => deliveries.list('w1', { limit: 50, type: 'c.d' }), 4500],
  ['a list of one event', ({ deliveries }) => deliveries.list('w1', { limit: 50, eventId: EVENT }), 10],
  ['a list of all workspaces', ({ deliveries }) => deliveries.list(allWorkspaces, { limit: 50 }), 250],
  [
    'a list of failed ones of all',
    ({ deliveries }) => deliveries.list(allWorkspaces, { limit: 50, status: 'failed' }),
    6500,
  ],
  ['a list of one event of all', ({ deliveries }) => deliveries.list(allWorkspaces, { limit: 50, eventId: EVENT }), 10],
  ['one of all', ({ deliveries }) => deliveries.get(allWorkspaces, `${EVENT}.ep_w10`), 10],
  ['a list of events', ({ deliveries }) => deliveries.listEvents('w1', { limit: 50 }), 4500],
  ['the deliveries of an event', ({ deliveries }) => deliveries.listByEvent('w1', EVENT), 10],
  ['the health check', async ({ routes }) => routes.request('/health'), 1000],
  ['a deletion', ({ endpoints }) => endpoints.delete('w1', 'ep_w12'), 1000],
  ['the care for what is held', async ({ db }) => maintainHeldRows(db, 60_000), 2000],
]

const BY_INDEX = /pending_events_(at_rest|ready|due|replay|held|settled)\b/
// In a bitmap scan the index scan has a line of its own.
const BY_KEY = /Bitmap Heap Scan|PRIMARY KEY \(id(=\?|>\? AND id<\?)\)|pending_events_pkey/
const PAST_OTHERS = /AUTOMATIC|Seq Scan|at_rest \((?!workspace_id=\?)/

type Beside = [neighbours: number, statistics: string, isAnalyzed: boolean]
const never = (neighbours: number): Beside => [neighbours, 'in a table that was never analyzed', false]
const before = (neighbours: number): Beside => [neighbours, 'in a table that was analyzed before', true]

it.each(
  onPostgres
    ? [
        // Of fewer rows, in some forty pages, Postgres reads the whole table faster than by an index.
        never(1500),
        never(200_000),
        before(1000),
        before(200_000),
      ]
    : [never(1000), before(1000)],
)(
  'each call uses an index of its own rows beside %i rows of another workspace, %s',
  async (neighbours, _, isAnalyzed) => {
    const { engine, db, statements } = await beside(neighbours, isAnalyzed)
    const check = async (name: string, call: (engine: Engine) => Promise<unknown>, most: number): Promise<void> => {
      statements()
      await call(engine)
      const reads = []
      for (const statement of statements()) reads.push(...(await readsOf(db, statement)))
      const others = reads.filter(({ by }) => PAST_OTHERS.test(by) || !(BY_INDEX.test(by) || BY_KEY.test(by)))
      expect(others, name).toEqual([])
      const met = reads.reduce((sum, { rows }) => sum + rows, 0)
      expect(met, name).toBeLessThanOrEqual(most)
    }
    for (const [name, call, most] of CALLS) await check(name, call, most)
    // As in a database that no earlier version has written.
    await db.run(sqlText`delete from pending_events where status = 'completed'`)
    await check('no completed ones', ({ deliveries }) => deliveries.list('w2', { limit: 50, status: 'completed' }), 5)
  },
  600_000,
)
