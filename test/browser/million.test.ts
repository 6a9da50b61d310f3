// Each page of the dashboard and the portal runs few statements and reads few rows, beside a million deliveries.
import { migrate, openPostgres } from '@keepsend/adapter-node'
import { raw } from '@keepsend/outbox/internal'
import { afterAll, expect, it } from 'vitest'
import { fillHistory } from '../../bench/src/history/fill.ts'
import { openPages } from '../../bench/src/pages/open-pages.ts'
import { PAGES } from '../../bench/src/pages/paths.ts'
import { countStatements } from '../../packages/dashboard/test/count-statements.ts'
import { createSchema } from '../postgres/schema.ts'

const DELIVERIES = 1_000_000
const CONNECTIONS = 4
const MOST_STATEMENTS = 15
// A filter looks at no more than 2,000 rows of a list, and a page has several lists.
const MOST_ROWS = 6000
// The sums of an hour of each endpoint, of a day: 1,100 endpoints here.
const MOST_OF_OVERVIEW = 20_000

const schema = await createSchema()
const db = await openPostgres({ url: schema.url, statementTimeoutMs: 0, max: CONNECTIONS })
await migrate(db)
await fillHistory(db, DELIVERIES)
// Of the attempts before the last day no statistics are made, which would take minutes.
await db.run(
  raw(
    `update keepsend_statistics_passes set done_to = (select ((ms - 86400000)::bigint << 20) from keepsend_clock) where source = 'attempt'`,
  ),
)
const { engine, textOf } = await openPages(db)
while ((await engine.worker.maintain()).more);
await db.pool.query('vacuum analyze')
const statements = countStatements(db)

afterAll(async () => {
  await db.close()
  await schema.drop()
})

const FLUSH = {
  text: 'select pg_stat_force_next_flush()',
  values: [],
  rowMode: 'array' as const,
  types: { getTypeParser: () => String },
}

/** Rows that the database has read in this schema, of tables and of indexes. */
async function rowsRead(): Promise<number> {
  // Each connection reports its own counts.
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => db.pool.connect()))
  await Promise.all(clients.map((client) => client.query(FLUSH)))
  for (const client of clients) client.release()
  const { rows } = await db.run<{ read: number }>(
    raw(`
    select (select coalesce(sum(seq_tup_read), 0) from pg_stat_user_tables where schemaname = current_schema())
      + (select coalesce(sum(idx_tup_read), 0) from pg_stat_user_indexes where schemaname = current_schema()) as "read"`),
  )
  return Number(rows[0]?.read)
}

it.each(PAGES)('$name', async (page) => {
  // The first one fills caches.
  await textOf(page, 0)
  const before = await rowsRead()
  statements()
  await textOf(page, 1)
  expect(statements()).toBeLessThanOrEqual(MOST_STATEMENTS)
  expect((await rowsRead()) - before).toBeLessThanOrEqual(page.name === 'overview' ? MOST_OF_OVERVIEW : MOST_ROWS)
})
