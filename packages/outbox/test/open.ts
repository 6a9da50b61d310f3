import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'

/** A connection with the settings of the README: WAL, every commit synced to disk, a wait for other writers. */
export function openFile(path: string): Database.Database {
  const connection = new Database(path)
  connection.pragma('journal_mode = WAL')
  // After the journal mode, because better-sqlite3 is built to fall back to NORMAL when WAL is chosen.
  connection.pragma('synchronous = FULL')
  connection.pragma('busy_timeout = 5000')
  connection.pragma('foreign_keys = ON')
  return connection
}

/** A folder that is removed at the end of the test. */
export function temporaryFolder(): { file(name: string): string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-outbox-'))
  return {
    file: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
