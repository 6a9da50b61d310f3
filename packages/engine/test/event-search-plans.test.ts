// The rows that a search and the deletion of values read beside those of other workspaces, in tables that were never analyzed, or
// were analyzed while they were small. SQLite shows the access paths; Postgres also shows the rows read.
import { firstEventIdAt } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import type { Engine } from '../src/index.ts'
import { cleanupEvents } from '../src/lib/history/event-retention.ts'
import { readsOf, recordedRig } from './plans.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const NEIGHBOURS = 20_000
const DAY_MS = 86_400_000
/** When the events of each part begin, within their retention. */
const BEGAN = [3, 2, 1].map((days) => Date.now() - days * DAY_MS) as [number, number, number]
const OWN = 3000

const padded = (prefix: string, digits: number): string =>
  onPostgres ? `'${prefix}' || lpad(n::text, ${digits}, '0')` : `printf('${prefix}%0${digits}d', n)`

/** Events with two values each: one of its own, and one that all have. */
function fill(part: 0 | 1 | 2, count: number): string[] {
  const id = padded(`${firstEventIdAt(BEGAN[part])}-7000-8000-`, 12)
  const numbers = onPostgres
    ? `generate_series(1, ${count}) as numbers (n)`
    : `(with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${count}) select n from numbers)`
  const values = onPostgres
    ? `json_build_object('data.id', ${padded('ord_', 6)}, 'data.ok', 'true')::text`
    : `json_object('data.id', ${padded('ord_', 6)}, 'data.ok', 'true')`
  return [
    `insert into keepsend_events (id, workspace_id, event_type, channels, created_at, deliveries, payload_id, search_values)
     select ${id}, 'w${part}', 'a.b', '[]', 1, 0, n, ${values} from ${numbers}`,
    `insert into keepsend_event_search (workspace_id, path, value, event_id)
     select 'w${part}', 'data.id', ${padded('ord_', 6)}, ${id} from ${numbers}`,
    `insert into keepsend_event_search (workspace_id, path, value, event_id)
     select 'w${part}', 'data.ok', 'true', ${id} from ${numbers}`,
  ]
}

async function filled(isAnalyzed: boolean) {
  const made = await recordedRig({ history: { search: ['data.id', 'data.ok'] } })
  const tables = ['keepsend_events', 'keepsend_event_search']
  if (onPostgres)
    for (const table of ['keepsend_events', 'keepsend_event_search'])
      await made.exec(`alter table ${table} set (autovacuum_enabled = off)`)
  for (const sql of fill(1, OWN)) await made.exec(sql)
  if (isAnalyzed) for (const table of tables) await made.exec(`analyze ${table}`)
  for (const sql of [...fill(0, NEIGHBOURS / 2), ...fill(2, NEIGHBOURS / 2)]) await made.exec(sql)
  made.statements()
  return made
}

const TABLES = { postgres: /^keepsend_event/, sqlite: /^(SCAN|SEARCH) (keepsend_event|event\b|entry\b)/ }
const BY_KEY = /(PRIMARY KEY|keepsend_events_workspace) \((id=\?|workspace_id=\? AND (id=\?\)|path=\? AND value))/

/** Each search, and the most rows of values and of events that one of its statements may read. */
const SEARCHES: [
  name: string,
  find: (events: Engine['events']) => ReturnType<Engine['events']['list']>,
  most: number,
  rows: number,
][] = [
  ['one value', (events) => events.list('w1', { limit: 50, search: { path: 'data.id', value: 'ord_000250' } }), 10, 1],
  ['no value', (events) => events.list('w1', { limit: 50, search: { path: 'data.id', value: 'none' } }), 10, 0],
  [
    'a value that all have',
    (events) => events.list('w1', { limit: 50, search: { path: 'data.ok', value: 'true' } }),
    300,
    50,
  ],
  [
    'its next page, within a time',
    async (events) => {
      const search = { path: 'data.ok', value: 'true' }
      const { next: before } = await events.list('w1', { limit: 50, search })
      return events.list('w1', { limit: 50, before, search, since: 1, until: Date.now() })
    },
    300,
    50,
  ],
  ['a prefix', (events) => events.list('w1', { limit: 50, search: { path: 'data.id', prefix: 'ord_0' } }), 300, 50],
  [
    'its next page',
    async (events) => {
      const search = { path: 'data.id', prefix: 'ord_0' }
      const { next: before } = await events.list('w1', { limit: 50, search })
      return events.list('w1', { limit: 50, before, search })
    },
    300,
    50,
  ],
  [
    'the next page of a value that all have, by prefix',
    async (events) => {
      const search = { path: 'data.ok', prefix: 't' }
      const { next: before } = await events.list('w1', { limit: 50, search })
      return events.list('w1', { limit: 50, before, search })
    },
    300,
    50,
  ],
  [
    'another type',
    (events) => events.list('w1', { limit: 50, type: 'c', search: { path: 'data.ok', prefix: '' } }),
    6100,
    0,
  ],
]

describe.each([
  ['never analyzed', false],
  ['analyzed while they were small', true],
])('in tables that were %s', (_state, isAnalyzed) => {
  it('each search reads a bounded number of values of its own workspace, by their key', async () => {
    const made = await filled(isAnalyzed)
    for (const [name, find, most, count] of SEARCHES) {
      const { rows } = await find(made.engine.events)
      expect(rows, name).toHaveLength(count)
      const statements = made.statements()
      expect(statements.length, name).toBeGreaterThan(0)
      for (const statement of statements) {
        const reads = await readsOf(made.db, statement, TABLES)
        expect(
          reads.filter(({ by }) => /^(SCAN|Seq Scan)/.test(by)),
          `${name}: ${statement.sql}`,
        ).toEqual([])
        expect(
          reads.filter(({ by }) => !onPostgres && !BY_KEY.test(by)),
          name,
        ).toEqual([])
        expect(
          reads.reduce((sum, { rows: read }) => sum + read, 0),
          `${name}: ${statement.sql}`,
        ).toBeLessThanOrEqual(most)
      }
      made.statements()
    }
  })

  it('retention finds the values of the events that it deletes by their keys', async () => {
    const made = await filled(isAnalyzed)
    expect(await cleanupEvents(made.db, { retentionMs: 0, limit: 10 })).toBe(10)
    const ran = made.statements().filter(({ sql }) => sql.includes('keepsend_event_search'))
    expect(ran).toHaveLength(onPostgres ? 1 : 2)
    for (const statement of ran) {
      const reads = await readsOf(made.db, statement, TABLES)
      expect(reads.length).toBeGreaterThan(0)
      expect(
        reads.filter(({ by }) => /^(SCAN|Seq Scan)/.test(by)),
        statement.sql,
      ).toEqual([])
      expect(
        reads.reduce((sum, { rows }) => sum + rows, 0),
        statement.sql,
      ).toBeLessThanOrEqual(150)
    }
  })
})
