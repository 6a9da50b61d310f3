// How a replay job finds its deliveries beside those of others, in tables that were never analyzed, or were analyzed while they
// were nearly empty. SQLite shows the access paths; Postgres also the rows that were read.
import { expect, it } from 'vitest'
import type { ReplayInput } from '../src/index.ts'
import { readsOf, recordedRig } from './plans.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const PER_MS = onPostgres ? 1_048_576 : 4096
const TABLES = {
  postgres: /^(pending_events|keepsend_attempts|keepsend_events)/,
  sqlite: /^(SCAN|SEARCH) (pending_events|found|stored|attempt|later|keepsend_events|event)\b/,
}

interface Filled {
  now: number
  lane: [workspaceId: string, endpointId: string]
}

const OWN = 200
const NEIGHBOURS = 8000

/** For one endpoint: this many failed rows, delivered attempts of events with payloads, and events that it missed. */
function fill({ now, lane: [workspaceId, endpointId] }: Filled, place: number, count: number): string[] {
  const numbers = onPostgres
    ? `generate_series(1, ${count}) as numbers (n)`
    : `(with recursive n (value) as (select 1 union all select value + 1 from n where value < ${count}) select value as n from n) as numbers`
  const hex = (now - 120_000).toString(16).padStart(12, '0')
  const padded = onPostgres ? `lpad(n::text, 11, '0')` : `printf('%011d', n)`
  const id = (kind: number) => `'evt_${hex.slice(0, 8)}-${hex.slice(8)}-7000-800${kind}-${place}' || ${padded}`
  const key = 10_000_000 * place
  return [
    `insert into pending_events (id, workspace_id, event_type, endpoint_id, status, completed_at, created_at, payload)
     select ${id(1)} || '.${endpointId}', '${workspaceId}', 'a', '${endpointId}', 'failed', ${now - 100_000}, 1, '{}' from ${numbers} where true`,
    `insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, url)
     select (${now - 100_000} - n) * ${PER_MS} + ${place}, ${id(2)} || '.${endpointId}', 1, '${workspaceId}', '${endpointId}', 'a', 1, 'publish', 1, 1, 'delivered', ''
     from ${numbers} where true`,
    `insert into keepsend_payloads (id, event_id, payload) select ${key} + n, ${id(2)}, '{}' from ${numbers} where true`,
    `insert into keepsend_events (id, workspace_id, event_type, channels, created_at, deliveries, payload_id)
     select ${id(2)}, '${workspaceId}', 'a', '[]', 1, 1, ${key} + n from ${numbers} where true`,
  ]
}

/** When the tables were analyzed: never, while they were nearly empty, or while the workspace had nothing beside others that had much. */
const ANALYZED = ['never', 'nearly empty', 'without the workspace'] as const

it.each(
  (['failed', 'delivered', 'missed'] as const satisfies ReplayInput['what'][]).flatMap((what) =>
    ANALYZED.map((analyzed) => [what, analyzed] as const),
  ),
)('a plan and a step of %s deliveries read those of their endpoint alone (analyzed: %s)', async (what, analyzed) => {
  const made = await recordedRig({ history: true })
  const { id } = await made.addEndpoint()
  const other = (await made.addEndpoint()).id
  const now = Date.now()
  // An endpoint misses the events of the others too.
  const others = what === 'missed' ? 10 : NEIGHBOURS
  const own = fill({ now, lane: ['w1', id] }, 1, OWN)
  const beside = fill({ now, lane: ['w1', other] }, 2, others)
  const neighbours = [
    ...fill({ now, lane: ['w0', 'ep_0'] }, 3, NEIGHBOURS),
    ...fill({ now, lane: ['w2', 'ep_2'] }, 4, NEIGHBOURS),
  ]
  const filling = {
    never: [...own, ...beside, ...neighbours],
    'nearly empty': [...own, 'analyze', ...beside, ...neighbours],
    'without the workspace': [...neighbours, 'analyze', ...own, ...beside],
  }
  for (const sql of filling[analyzed]) await made.exec(sql)
  // For those that missed: of the same events, none arrived at the endpoint.
  if (what === 'missed') await made.exec(`delete from keepsend_attempts where endpoint_id = '${id}'`)
  made.statements()
  const job = await made.engine.replays.create('w1', { what, endpointId: id } as ReplayInput)
  expect(job.planned).toBe(what === 'missed' ? OWN + others : OWN)
  await made.engine.worker.stepReplays({ batch: 250 })
  const ran = made.statements()
  expect((await made.engine.replays.get('w1', job.id)).sent).toBe(job.planned)
  expect(ran.length).toBeGreaterThan(8)
  for (const statement of ran) {
    // Explained, it would be run once more, and its step is over.
    if (statement.sql.includes('step = case')) continue
    const reads = await readsOf(made.db, statement, TABLES)
    const tooMany = reads.filter(({ by, rows }) => by.startsWith('SCAN') || rows > 6 * OWN)
    expect(tooMany, statement.sql).toEqual([])
  }
})

it('a step reads its page alone, of many deliveries that failed in one millisecond', async () => {
  const made = await recordedRig()
  const { id } = await made.addEndpoint()
  const count = 3000
  const [failed = ''] = fill({ now: Date.now(), lane: ['w1', id] }, 1, count)
  await made.exec(failed)
  await made.engine.replays.create('w1', { what: 'failed', endpointId: id })
  await made.engine.worker.stepReplays({ batch: 1000 })
  await made.exec('update keepsend_replays set due_at = 0')
  await made.exec(`update pending_events set status = 'completed' where status = 'held'`)
  made.statements()
  await made.engine.worker.stepReplays({ batch: 100 })
  const page = made.statements().find(({ sql }) => sql.includes('(completed_at, id) >'))
  const place = 'workspace_id=? AND endpoint_id=? AND status=? AND (completed_at,id)>(?,?) AND completed_at<?'
  const expected = onPostgres
    ? { rows: 100 }
    : { by: `SEARCH pending_events USING INDEX pending_events_replay (${place})` }
  expect(await readsOf(made.db, page!)).toMatchObject([expected])
})
