import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import Database from 'better-sqlite3'
import { type TestApp, openAppOn } from './app-on.ts'

/** The app on a real file. */
export async function openApp(): Promise<TestApp> {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-demo-test-'))
  const file = join(folder, 'app.db')
  const db = openSqlite(file)
  await migrate(db, { directory: new URL('../migrations/sqlite/', import.meta.url) })
  // Another connection to the file, which sees only committed rows.
  const onlooker = new Database(file, { readonly: true })
  return openAppOn({
    db,
    look: async (sql, ...params) => onlooker.prepare(sql).all(...params) as Record<string, unknown>[],
    // Changes with every commit of another connection.
    version: () => onlooker.pragma('data_version', { simple: true }),
    close() {
      onlooker.close()
      db.close()
      rmSync(folder, { recursive: true, force: true })
    },
  })
}
