import Database from 'better-sqlite3'
import { migrateOutbox } from '../src/index.ts'
import { fromBetterSqlite } from '../src/sqlite.ts'
import { outboxContract } from '../src/testing.ts'

outboxContract('SQLite in memory', async () => {
  const connection = new Database(':memory:')
  const db = fromBetterSqlite(connection)
  await migrateOutbox(db)
  return {
    db,
    rival: db,
    close: async () => void connection.close(),
  }
})
