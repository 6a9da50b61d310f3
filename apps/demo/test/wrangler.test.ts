// Checks wrangler.jsonc with wrangler itself, offline.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unstable_readConfig } from 'wrangler'
import { queueSettings } from '../src/queue-settings.ts'
import { appFolder, migrateLocally, wrangler } from '../src/wrangler.ts'

let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keepsend-demo-wrangler-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

it(
  'wrangler would deploy it without a warning, and the bundle fits five times into the free plan',
  { timeout: 180_000 },
  async () => {
    const output = await wrangler(['deploy', '--dry-run', '--outdir', join(folder, 'bundle')], folder)
    expect(output).not.toMatch(/warning|error/i)
    const [size, , kibibytes] = /Total Upload: (.*) \/ gzip: ([\d.]+) KiB/.exec(output) ?? []
    console.log(size)
    // 3 MiB, compressed, on the free plan.
    expect(Number(kibibytes)).toBeLessThan(614)
  },
)

it('wrangler has the version of the vitest plugin, so that tests and `wrangler dev` run in one workerd', () => {
  const read = (name: string): { version: string; dependencies?: Record<string, string> } =>
    JSON.parse(readFileSync(join(appFolder, 'node_modules', name, 'package.json'), 'utf8'))
  expect(read('@cloudflare/vitest-plugin').dependencies?.['wrangler']).toBe(read('wrangler').version)
})

describe('wrangler.jsonc', () => {
  const { queues, triggers, d1_databases: databases } = unstable_readConfig({ config: `${appFolder}/wrangler.jsonc` })
  const [consumer, deadLetters] = queues.consumers ?? []

  it('has the same settings of the queue as queue-settings.ts', () => {
    const { maxBatchSize, maxBatchTimeoutSeconds, deadLetterQueue } = queueSettings
    expect(consumer).toMatchObject({
      queue: queues.producers?.[0]?.queue,
      max_batch_size: maxBatchSize,
      max_batch_timeout: maxBatchTimeoutSeconds,
      dead_letter_queue: deadLetterQueue,
    })
    expect(deadLetters).toMatchObject({ queue: deadLetterQueue })
  })

  it('sets every option of a consumer, retries longer than any row, and runs the cron every minute', () => {
    for (const one of [consumer, deadLetters]) {
      expect(Object.keys(one ?? {})).toEqual(
        expect.arrayContaining(['max_batch_size', 'max_batch_timeout', 'max_retries', 'retry_delay']),
      )
      expect(one?.max_retries).toBe(100)
    }
    expect(triggers.crons).toEqual(['* * * * *'])
    expect(databases).toHaveLength(1)
  })
})

it('`wrangler d1 migrations apply` creates the same tables as migrate()', { timeout: 400_000 }, async () => {
  // Without the bookkeeping tables of either.
  const schema =
    "select name, sql from sqlite_schema where sql is not null and name not like 'sqlite\\_%' escape '\\' " +
    "and name not like '\\_cf\\_%' escape '\\' and name not in ('d1_migrations', 'keepsend_migrations') order by name"
  await migrateLocally(folder)
  const command = `select name from d1_migrations order by id; ${schema}`
  const output = await wrangler(
    ['d1', 'execute', 'DB', '--local', '--persist-to', folder, '--json', '--command', command],
    folder,
  )
  const [applied, tables] = JSON.parse(output) as { results: Record<string, string>[] }[]
  expect(applied?.results.map(({ name }) => name)).toEqual([
    'keepsend/0001_keepsend_pending_events.sql',
    'keepsend/0002_keepsend_endpoints.sql',
    'keepsend/0003_keepsend_idempotency.sql',
    'keepsend/0004_keepsend_history.sql',
    'keepsend/0005_keepsend_problems.sql',
    'keepsend/0006_keepsend_statistics.sql',
    'keepsend/0007_keepsend_events.sql',
    'keepsend/0008_keepsend_notifications.sql',
    'keepsend/0009_keepsend_workers.sql',
    'keepsend/0010_keepsend_workspaces.sql',
    'keepsend/0011_keepsend_event_search.sql',
    'keepsend/0012_keepsend_audit.sql',
    'keepsend/0013_keepsend_replays.sql',
    'keepsend/0014_keepsend_erasure.sql',
    'keepsend/0015_keepsend_versions.sql',
    'keepsend/0016_keepsend_portal_links.sql',
    'sqlite/0001_messaging.sql',
  ])

  const db = openSqlite(':memory:')
  await migrate(db, { directory: new URL('../migrations/sqlite/', import.meta.url) })
  const made = db.connection.prepare(schema).all() as Record<string, string>[]
  const written = ({ name, sql = '' }: Record<string, string>) => [name, sql.replace(/\s+/g, ' ')]
  // D1 bills each index of a new row, and has none of the two that list all attempts.
  const onD1 = made.filter(({ name }) => !/^keepsend_attempts_(workspace|endpoint)$/.test(name ?? ''))
  expect(made.length - onD1.length).toBe(2)
  expect(tables?.results.map(written)).toEqual(onD1.map(written))
  expect(onD1.length).toBeGreaterThan(20)
  db.close()
})
