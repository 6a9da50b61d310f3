import pg from 'pg'
import postgres from 'postgres'
import { createSchema } from '../../../test/postgres/schema.ts'
import { type OutboxDatabase, migrate } from '../src/index.ts'
import { fromPostgres } from '../src/postgres.ts'
import type { OutboxDatabases } from '../src/testing.ts'

/** The drivers, each as it opens a pool of `max` connections. */
const DRIVERS = {
  pg(url: string, max: number) {
    const pool = new pg.Pool({ connectionString: url, max })
    return { client: pool, db: fromPostgres(pool), end: () => pool.end() }
  },
  'postgres.js'(url: string, max: number) {
    const sql = postgres(url, { max, onnotice: () => undefined })
    return { client: sql, db: fromPostgres(sql), end: () => sql.end() }
  },
} satisfies Record<string, (url: string, max: number) => { client: unknown; db: OutboxDatabase; end(): Promise<void> }>

export type DriverName = keyof typeof DRIVERS

/** A fresh, migrated schema, with two pools into it. */
export async function openBoth(driver: DriverName): Promise<OutboxDatabases> {
  const schema = await createSchema()
  const [one, other] = [DRIVERS[driver](schema.url, 4), DRIVERS[driver](schema.url, 4)]
  await migrate(one.db)
  return {
    db: one.db,
    rival: other.db,
    async close() {
      await Promise.all([one.end(), other.end()])
      await schema.drop()
    },
  }
}
