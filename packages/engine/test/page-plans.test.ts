// A page ends as soon as it is full, however many rows are left to compare. SQLite's plan says so: it reads row by row (a co-routine)
// and makes no table of all of them. Postgres counts what it has read.
import { joined, raw, sqlText } from '@keepsend/outbox/internal'
import { expect, it } from 'vitest'
import type { Engine } from '../src/index.ts'
import { ATTEMPTS, PENDING_EVENTS, readsOf, recordedRig } from './plans.ts'

const STORED = 1000

async function filled() {
  const made = await recordedRig({ history: true })
  const perMs = made.db.dialect.name === 'sqlite' ? 4096 : 1_048_576
  const first = BigInt(Date.now()) * BigInt(perMs)
  const attempts = Array.from({ length: STORED }, (_, n) => {
    const id = raw(String(first - BigInt(n * perMs)))
    return sqlText`(${id}, ${`evt_01910000-0000-7000-8000-${String(n).padStart(12, '0')}.ep_1`}, 1, 'w1', 'ep_1', 'a.b', 1, 'publish', 1, 1,
      'delivered', 'https://hooks.example.com/')`
  })
  await made.db.run(sqlText`
    insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us,
      outcome, url) values ${joined(attempts, ', ')}`)
  await made.db.run(sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, status, attempts, max_attempts, gen, created_at, completed_at, payload)
    select 'evt_0192' || substr(delivery_id, 9), workspace_id, event_type, endpoint_id, 'failed', 1, 1, 1, 1, 1, '{}' from keepsend_attempts`)
  return made
}

const FILTER = { limit: 10, type: 'a.b' }
const LISTS: [string, (engine: Engine) => Promise<{ rows: unknown[] }>][] = [
  ['attempts of a workspace', ({ attempts }) => attempts.list('w1', FILTER)],
  ['attempts of an endpoint', ({ attempts }) => attempts.list('w1', { ...FILTER, endpointId: 'ep_1' })],
  ['failed deliveries', ({ deliveries }) => deliveries.list('w1', { ...FILTER, status: 'failed' })],
  ['delivered deliveries', ({ deliveries }) => deliveries.list('w1', { ...FILTER, status: 'completed' })],
]

/** Where these statements read on after the page is full. A planner may read a small table whole to look its rows up. */
async function readsOn({ db, statements }: Awaited<ReturnType<typeof filled>>): Promise<string[]> {
  const found: string[] = []
  for (const statement of statements()) {
    for (const tables of [ATTEMPTS, PENDING_EVENTS])
      for (const { by, rows } of await readsOf(db, statement, tables))
        if (by !== 'Seq Scan' && rows > 5 * FILTER.limit) found.push(`${by}: ${rows}`)
    if (db.dialect.name === 'postgres') continue
    const { rows } = await db.run<{ detail: string }>({
      sql: `explain query plan ${statement.sql}`,
      params: statement.params,
    })
    found.push(...rows.map(({ detail }) => detail).filter((detail) => /^MATERIALIZE (numbered|passed)/.test(detail)))
  }
  return found
}

it.each(LISTS)('a page of %s ends when it is full', async (_, list) => {
  const made = await filled()
  made.statements()
  expect((await list(made.engine)).rows).toHaveLength(FILTER.limit)
  expect(await readsOn(made)).toEqual([])
})
