import { join } from 'node:path'
import { migrate, openPostgres, openSqlite } from '@keepsend/adapter-node'
import type { OutboxDatabase } from '@keepsend/outbox'

/** Opens and migrates a database. `vacuum` does what autovacuum would do on Postgres at an unknown time. */
export async function openDatabase(
  on: 'sqlite' | 'postgres',
  place: string,
): Promise<{ db: OutboxDatabase; vacuum: () => Promise<unknown> }> {
  if (on === 'sqlite') {
    const db = openSqlite(join(place, 'bench.db'))
    await migrate(db)
    return { db, vacuum: async () => undefined }
  }
  const db = await openPostgres({ url: place, statementTimeoutMs: 0 })
  await migrate(db)
  return { db, vacuum: () => db.pool.query('vacuum analyze') }
}
