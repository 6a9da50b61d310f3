import { createRequire } from 'node:module'
import type { OutboxDatabase } from '@keepsend/outbox'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import type Database from 'better-sqlite3'
import { AdapterError, checkBounds } from './errors.ts'
import { checkOptions } from './option-names.ts'

export interface OpenSqliteOptions {
  /**
   * `FULL`: what was acknowledged survives a power cut. `NORMAL`: it survives a kill of the process, and a power cut
   * may take the last commits back (590 of 600 simulated cuts did; with `FULL` none of 4,200). @default 'FULL'
   */
  synchronous?: 'FULL' | 'NORMAL' | undefined
  /** How long a write waits for another process's lock, in ms, blocking this one: 0–60,000. @default 5000 */
  busyTimeoutMs?: number | undefined
}

/** A SQLite file as Keepsend's database, with what only SQLite has. */
export interface SqliteDatabase extends OutboxDatabase {
  /** For the host's own drizzle or reads. Writes belong into `commit`, so that they share the fsync and the atomic unit. */
  readonly connection: Database.Database
  /** A number that changes when another connection or process has committed. */
  version(): number
  close(): void
}

const SYNCHRONOUS = { NORMAL: 1, FULL: 2 } as const

/**
 * Opens a file (or `:memory:`) in WAL mode, durable as asked for. Callers that commit in one turn of the event loop
 * share one fsync.
 *
 * @throws {AdapterError} `not_durable` when the database does not keep the mode it was given
 */
export function openSqlite(file: string, options: OpenSqliteOptions = {}): SqliteDatabase {
  checkOptions('openSqlite', options)
  const { synchronous = 'FULL', busyTimeoutMs = 5000 } = options
  checkBounds('busyTimeoutMs', busyTimeoutMs, 0, 60_000)
  if (!(synchronous in SYNCHRONOUS)) {
    throw new AdapterError('invalid_option', `synchronous must be FULL or NORMAL; found ${synchronous as string}`)
  }
  const connection: Database.Database = new (driver())(file, { timeout: busyTimeoutMs })
  try {
    switchToWal(connection, busyTimeoutMs)
    connection.pragma('foreign_keys = ON')
    // What a claim returns is gathered in a temporary table first. In a file, that file is made, written and deleted at
    // each claim: 2.2 of 17.6 µs a delivery.
    connection.pragma('temp_store = MEMORY')
    setDurability(connection, synchronous)
  } catch (error) {
    connection.close()
    throw error
  }
  const dataVersion = connection.prepare('pragma data_version').pluck()
  return {
    ...fromBetterSqlite(connection, { defer: setImmediate }),
    connection,
    version: () => Number(dataVersion.get()),
    close: () => void connection.close(),
  }
}

// When a file is opened, and not before: who keeps his rows in Postgres need not have it.
function driver(): typeof Database {
  return createRequire(import.meta.url)('better-sqlite3') as typeof Database
}

// The switch needs the file alone, and SQLite does not wait for that, whatever `busy_timeout` says: of processes that
// open a new file at the same moment, all but one would be told that it is locked.
function switchToWal(connection: Database.Database, patienceMs: number): void {
  const end = performance.now() + patienceMs
  for (;;) {
    try {
      connection.pragma('journal_mode = WAL')
      return
    } catch (error) {
      const busy = error instanceof driver().SqliteError && error.code.startsWith('SQLITE_BUSY')
      if (!busy || performance.now() >= end) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAL_RETRY_MS)
    }
  }
}

const WAL_RETRY_MS = 5

// After the journal mode, and looked at again after a write: better-sqlite3 is compiled to fall back to NORMAL in WAL
// mode, and a new database shows that only once it has been written to.
function setDurability(connection: Database.Database, synchronous: keyof typeof SYNCHRONOUS): void {
  connection.pragma(`synchronous = ${synchronous}`)
  const userVersion = connection.pragma('user_version', { simple: true }) as number
  connection.pragma(`user_version = ${userVersion}`)
  const found = connection.pragma('synchronous', { simple: true })
  if (found !== SYNCHRONOUS[synchronous]) {
    throw new AdapterError(
      'not_durable',
      `synchronous should be ${synchronous} (${SYNCHRONOUS[synchronous]}) after the first write; found ${String(found)}`,
    )
  }
}
