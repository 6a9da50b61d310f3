import pg from 'pg'
import postgres from 'postgres'
import { onTestFinished } from 'vitest'
import { type TestSchema, createSchema, lendSchema } from '../../../test/postgres/schema.ts'
import { type OutboxDatabase, migrateOutbox, newEventId } from '../src/index.ts'
import { fromPostgres } from '../src/postgres.ts'
import type { OutboxDatabases } from '../src/testing.ts'

/** The drivers; each opens a pool of `max` connections. */
export const DRIVERS = {
  pg(url: string, max: number) {
    const pool = new pg.Pool({ connectionString: url, max, allowExitOnIdle: true })
    pool.on('error', () => undefined)
    return { db: fromPostgres(pool), end: () => pool.end() }
  },
  'postgres.js'(url: string, max: number) {
    const sql = postgres(url, { max, idle_timeout: 5, onnotice: () => undefined })
    return { db: fromPostgres(sql), end: () => sql.end() }
  },
} satisfies Record<string, (url: string, max: number) => { db: OutboxDatabase; end(): Promise<void> }>

export type DriverName = keyof typeof DRIVERS

export const DRIVER_NAMES = Object.keys(DRIVERS) as DriverName[]

/** A schema of the outbox alone, as it is after its migrations. */
function lendMigrated(): Promise<TestSchema> {
  return lendSchema({
    packages: ['outbox'],
    async migrate(url) {
      const { db, end } = DRIVERS.pg(url, 1)
      await migrateOutbox(db)
      await end()
    },
  })
}

/** An empty, migrated schema, with two pools into it. */
export async function openBoth(driver: DriverName): Promise<OutboxDatabases> {
  const schema = await lendMigrated()
  const key = `${driver} ${schema.name}`
  const pools = opened.get(key) ?? { db: DRIVERS[driver](schema.url, 4).db, rival: DRIVERS[driver](schema.url, 4).db }
  opened.set(key, pools)
  return { ...pools, close: () => schema.drop() }
}

/** By driver and schema, for the next test: a new connection, and its first statement, take longer than most tests. */
const opened = new Map<string, Pick<OutboxDatabases, 'db' | 'rival'>>()

export interface Opened {
  db: OutboxDatabase
  schema: TestSchema
  /** Another connection of the same driver's pool, or of one of its own, for what a host does beside Keepsend. */
  host: pg.Pool
}

/** An empty schema, migrated by default, that is given back at the end of the test. */
export async function open(
  driver: DriverName = 'pg',
  options: { max?: number; migrated?: boolean } = {},
): Promise<Opened> {
  const schema = options.migrated === false ? await createSchema() : await lendMigrated()
  const { db, end } = DRIVERS[driver](schema.url, options.max ?? 4)
  const host = new pg.Pool({ connectionString: schema.url })
  host.on('error', () => undefined)
  onTestFinished(async () => {
    await Promise.all([end(), host.end()])
    await schema.drop()
  })
  return { db, schema, host }
}

export const event = () => ({ eventId: newEventId(), workspaceId: 'w', type: 'order.placed', payload: '{"q":"?"}' })
