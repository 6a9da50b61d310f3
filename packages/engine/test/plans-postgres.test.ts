import { claimReadyEvents, enqueueEvents, newEventId, toSql } from '@keepsend/outbox'
import type { SqlText } from '@keepsend/outbox/internal'
import { expect, it } from 'vitest'
import { waitingStatement } from '../src/lib/row-ceiling.ts'
import { resumeUnlessBlocked } from '../src/lib/backlog/resume.ts'
import { resumeHeld } from '../src/lib/backlog/resume-due.ts'
import { readsOf, recordedRig } from './plans.ts'
import { claimInLine, rig } from './rig.ts'

const HELD = 5000

const waiting = (endpointId: string) => ({
  eventId: newEventId(),
  endpointId,
  workspaceId: 'w1',
  type: 'a.b',
  payload: '{}',
})

/** The access paths that Postgres chooses for a statement on a table that was never analyzed. */
async function plan(made: Awaited<ReturnType<typeof rig>>, statement: SqlText): Promise<string> {
  const { sql, params } = toSql(statement, 'postgres')
  const { rows } = await made.db.run<{ 'QUERY PLAN': string }>({ sql: `explain ${sql}`, params })
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

it('a settle resumes its few rows by their keys, however many rows are held', async () => {
  const made = await rig()
  const { id } = await made.addEndpoint()
  const ids: string[] = []
  for (let part = 0; part < HELD; part += 1000) {
    const events = Array.from({ length: 1000 }, () => waiting(id))
    ids.push(...(await enqueueEvents(made.db, events)).map((row) => row.id))
  }
  await made.exec(`update pending_events set status = 'held', hold_reason = 'circuit_open', due_at = null, ready = 0`)
  const found = await plan(made, resumeUnlessBlocked(made.db, ids.slice(0, 32)))
  expect(found).toContain('pending_events_pkey')
  expect(found).not.toMatch(/Seq Scan on pending_events|pending_events_held/)
})

it.each([
  ['in a table that was never analyzed', false],
  ['in a table that was last analyzed without them', true],
])('a settle that holds reads as few of 20,000 held rows, %s, as of ten', async (_, isAnalyzed) => {
  const met: number[] = []
  for (const held of [10, 20_000]) {
    const made = await recordedRig()
    await made.exec('alter table pending_events set (autovacuum_enabled = off)')
    const { id } = await made.addEndpoint()
    if (isAnalyzed) {
      await enqueueEvents(
        made.db,
        Array.from({ length: 1000 }, () => waiting(id)),
      )
      await made.exec('analyze pending_events')
    }
    await made.exec(
      `insert into pending_events (id, workspace_id, event_type, endpoint_id, status, hold_reason, held_at, created_at, payload)
       select 'evt_0' || lpad(n::text, 8, '0') || '.' || ?, 'w1', 't', ?, 'held', 'circuit_open', 1, 1, '{}'
       from generate_series(1, cast(? as integer)) as n`,
      id,
      id,
      held,
    )
    for (let n = 0; n < 20; n++) await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
    const { claims } = await claimReadyEvents(made.db, await claimInLine(made, 10))
    made.statements()
    await made.engine.worker.settle(
      claims.map((claim) => ({ claim, outcome: { kind: 'hold', reason: 'circuit_open' } })),
      { claim: { lanes: [{ workspaceId: 'w1', endpointId: id, count: 5 }] } },
    )
    let rows = 0
    for (const statement of made.statements()) for (const read of await readsOf(made.db, statement)) rows += read.rows
    met.push(rows)
  }
  // Some more are dead rows that sessions of other tests keep from being pruned; the held rows would be 20,000.
  expect(met[1]).toBeLessThanOrEqual((met[0] ?? 0) + 1000)
})

it('the count of a workspace’s waiting rows reads its own lanes and endpoints, whatever the backlog of another workspace', async () => {
  const made = await rig()
  const { id } = await made.addEndpoint({ workspaceId: 'big' })
  await made.addEndpoint()
  for (let part = 0; part < HELD; part += 1000) {
    const events = Array.from({ length: 1000 }, () => ({
      eventId: newEventId(),
      endpointId: id,
      workspaceId: 'big',
      type: 'a.b',
      payload: '{}',
    }))
    await enqueueEvents(made.db, events)
  }
  await made.exec(
    `update pending_events set status = 'held', due_at = null, ready = 0 where id in (select id from pending_events limit 2500)`,
  )
  const found = await plan(made, waitingStatement(made.db, 'w1', 1_000_000))
  expect(found).toContain('pending_events_ready')
  expect(found).toContain('pending_events_held')
  expect(found).not.toMatch(/Seq Scan on pending_events|pending_events_pkey/)
})

type Rig = Awaited<ReturnType<typeof rig>>
const resumeRows = (made: Rig) => resumeHeld(made.db, { openMs: 60_000, random: () => 0.5 })

/** Calls that process many rows of one endpoint, with the rows' status and the endpoint's columns before the call. */
const OF_ONE: [
  name: string,
  status: 'failed' | 'held',
  set: string,
  call: (made: Rig, id: string) => Promise<unknown>,
][] = [
  ['a resume', 'held', 'resume_at = 1', resumeRows],
  ['a probe', 'held', `resume_at = 1, circuit = 'open'`, resumeRows],
  ['a deletion', 'held', 'updated_at = 1', ({ engine }, id) => engine.endpoints.delete('w1', id)],
]

it.each(
  OF_ONE.flatMap(([name, status, set, call]) =>
    ['before others had any', 'now'].map((when) => [name, when, status, set, call] as const),
  ),
)('%s of an endpoint reads no row of another, if the table was analyzed %s', async (_, when, status, set, call) => {
  const made = await recordedRig()
  await made.exec('alter table pending_events set (autovacuum_enabled = off)')
  const { id } = await made.addEndpoint()
  await made.exec(`update keepsend_endpoints set ${set}`)
  const settled = status === 'failed' ? 'n + ' : 'null + '
  // The other rows have smaller keys and earlier settle times.
  const add = (endpointId: string, rows: number, first: number, event: string) =>
    made.exec(
      `insert into pending_events (id, workspace_id, event_type, endpoint_id, status, hold_reason, completed_at, created_at, payload)
         select 'evt_${event}' || lpad(n::text, 8, '0') || '-0000-7000-8000-000000000000.' || ?, 'w1', 't', ?, '${status}',
           ${status === 'held' ? `'circuit_open'` : 'null'}, ${settled} cast(? as bigint), 1, '{}'
         from generate_series(1, cast(? as integer)) as n`,
      endpointId,
      endpointId,
      first,
      rows,
    )
  await add(id, 20_000, 1_000_000, '1')
  if (when !== 'now') await made.exec('analyze pending_events')
  await add('ep_of_others', 50_000, 1, '0')
  if (when === 'now') await made.exec('analyze pending_events')
  made.statements()
  await call(made, id)
  const statements = made.statements()
  await made.exec(`update keepsend_endpoints set ${set}`)
  let met = 0
  for (const statement of statements) for (const { rows } of await readsOf(made.db, statement)) met += rows
  expect(met).toBeLessThanOrEqual(1500)
})

it.each(['before others had any', 'now'])(
  'lists of endpoints and of API keys read no row of another workspace, if the tables were analyzed %s',
  async (when) => {
    const made = await recordedRig()
    await made.addEndpoint()
    const add = async (workspaceId: string, first: string): Promise<void> => {
      await made.exec(
        `insert into keepsend_endpoints (id, workspace_id, url, event_types, channels, created_at, updated_at)
         select 'ep_${first}' || n, ?, url, event_types, channels, 1, 1
         from (select * from keepsend_endpoints limit 1) as one cross join generate_series(1, 20000) as n`,
        workspaceId,
      )
      await made.exec(
        `insert into keepsend_api_keys (key_hash, id, workspace_id, name, scopes, created_at)
         select '${first}' || n, 'key_${first}' || n, cast(? as text), '', '[]', 1 from generate_series(1, 20000) as n`,
        workspaceId,
      )
    }
    for (const table of ['keepsend_endpoints', 'keepsend_api_keys']) {
      await made.exec(`alter table ${table} set (autovacuum_enabled = off)`)
    }
    await add('w1', 'z')
    if (when !== 'now') await made.exec('analyze')
    // The other rows have smaller keys.
    await add('w2', 'a')
    if (when === 'now') await made.exec('analyze')
    made.statements()
    await made.engine.endpoints.list('w1', { limit: 50 })
    await made.engine.apiKeys.list('w1', { limit: 50 })
    for (const statement of made.statements()) {
      expect(await plan(made, statement)).toMatch(/using keepsend_(endpoints|api_keys)_workspace/)
    }
  },
)
