import { type OpenPostgresOptions, migrate, openPostgres } from '@keepsend/adapter-node'
import { fromPostgres } from '@keepsend/outbox/postgres'
import pg from 'pg'
import { createSchema } from '../../../test/postgres/schema.ts'
import { type TestApp, openAppOn } from './app-on.ts'

/** The app on a schema of a real Postgres, and its URL. */
export async function openApp(options: Partial<OpenPostgresOptions> = {}): Promise<TestApp & { url: string }> {
  const schema = await createSchema()
  const db = await openPostgres({ url: schema.url, ...options })
  await migrate(db, { directory: new URL('../migrations/postgres/', import.meta.url) })
  // Not the app's connections, so that they see only committed rows.
  const onlookers = new pg.Pool({ connectionString: schema.url, max: 2 })
  const beside = fromPostgres(onlookers)
  const look = async (sql: string, ...params: string[]) => (await beside.run({ sql, params })).rows

  const tables = await look('select tablename as name from pg_tables where schemaname = current_schema order by 1')
  // The row count of a table and its latest writing transaction: a delete changes the first, other writes the second.
  const states = tables.map(
    ({ name }) => `select count(*) as rows, max(xmin::text::bigint) as written from ${String(name)}`,
  )
  const opened = await openAppOn({
    db,
    look,
    version: async () => JSON.stringify(await look(states.join(' union all '))),
    async close() {
      await onlookers.end()
      await db.close()
      await schema.drop()
    },
  })
  return { ...opened, url: schema.url }
}
