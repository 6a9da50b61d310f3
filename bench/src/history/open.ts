import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { migrate, openPostgres, openSqlite } from '@keepsend/adapter-node'
import type { OutboxDatabase } from '@keepsend/outbox'

interface Opened {
  db: OutboxDatabase
  /** What autovacuum would do on Postgres at an unknown time. */
  vacuum: () => Promise<unknown>
  /** Reads all tables and indexes, so that the kernel has their files in memory. */
  readThrough: () => Promise<unknown>
}

/** Opens and migrates a database. */
export async function openDatabase(on: 'sqlite' | 'postgres', place: string): Promise<Opened> {
  if (on === 'sqlite') {
    const file = join(place, 'bench.db')
    const db = openSqlite(file)
    await migrate(db)
    return { db, vacuum: async () => undefined, readThrough: () => readFile(file) }
  }
  const db = await openPostgres({ url: place, statementTimeoutMs: 0 })
  await migrate(db)
  return {
    db,
    vacuum: () => db.pool.query('vacuum analyze'),
    async readThrough() {
      await db.pool.query('create extension if not exists pg_prewarm')
      await db.pool.query(`
        select sum(pg_prewarm(oid, 'read')) from pg_class
        where relkind in ('r', 'i') and relnamespace = current_schema()::regnamespace`)
    },
  }
}

async function readFile(file: string): Promise<void> {
  for await (const _ of createReadStream(file, { highWaterMark: 2 ** 20 }));
}
