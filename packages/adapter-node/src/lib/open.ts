import { createRequire } from 'node:module'
import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqliteConnection, type SqliteStatement, fromBetterSqlite } from '@keepsend/outbox/sqlite'
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

/**
 * The part of better-sqlite3's `Database` that is used here. Its own types are named nowhere, so that who keeps rows in
 * Postgres need not install them.
 */
export interface SqliteHandle extends SqliteConnection {
  readonly open: boolean
  prepare(sql: string): SqliteHandleStatement
  exec(sql: string): unknown
  pragma(text: string, options?: { simple?: boolean | undefined }): unknown
  close(): unknown
}

/** The part of better-sqlite3's `Statement` that is used here. */
export interface SqliteHandleStatement extends SqliteStatement {
  get(...params: unknown[]): unknown
  pluck(): this
}

/** A SQLite file as Keepsend's database, with what only SQLite has. */
export interface SqliteDatabase<Connection extends SqliteHandle = SqliteHandle> extends OutboxDatabase {
  /** For the host's own drizzle or reads. Writes belong into `commit`, so that they share the fsync and the atomic unit. */
  readonly connection: Connection
  /** A number that changes when another connection or process has committed. */
  version(): number
  close(): void
}

const SYNCHRONOUS = { NORMAL: 1, FULL: 2 } as const

/**
 * Opens a file (or `:memory:`) in WAL mode, durable as asked for. Callers that commit in one turn of the event loop
 * share one fsync. Name the driver's own type where its handle is given on, to drizzle say.
 *
 * @throws {AdapterError} `not_durable` when the database does not keep the mode it was given
 * @example
 * import type { Database } from 'better-sqlite3'
 * const db = openSqlite<Database>('app.db')
 * const orm = drizzle({ client: db.connection })
 */
export function openSqlite<Connection extends SqliteHandle = SqliteHandle>(
  file: string,
  options: OpenSqliteOptions = {},
): SqliteDatabase<Connection> {
  checkOptions('openSqlite', options)
  const { synchronous = 'FULL', busyTimeoutMs = 5000 } = options
  checkBounds('busyTimeoutMs', busyTimeoutMs, 0, 60_000)
  if (!(synchronous in SYNCHRONOUS)) {
    throw new AdapterError('invalid_option', `synchronous must be FULL or NORMAL; found ${synchronous as string}`)
  }
  const connection = new (driver<Connection>())(file, { timeout: busyTimeoutMs })
  try {
    switchToWal(connection, busyTimeoutMs)
    connection.pragma('foreign_keys = ON')
    // What a claim returns is gathered in a temporary table first. In a file, that file is made, written and deleted at
    // each claim: 2.2 of 17.6 µs a delivery.
    connection.pragma('temp_store = MEMORY')
    // Half as often as by default: a page that changes again and again is copied into the file once, not twice (3% of a
    // drain). The WAL grows to 8 MB, and a checkpoint holds the event loop for as much longer.
    connection.pragma('wal_autocheckpoint = 2000')
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
function driver<Connection extends SqliteHandle>(): SqliteDriver<Connection> {
  return createRequire(import.meta.url)('better-sqlite3') as SqliteDriver<Connection>
}

/** What better-sqlite3 exports. */
interface SqliteDriver<Connection> {
  new (file: string, options: { timeout: number }): Connection
  readonly SqliteError: new (message: string, code: string) => Error & { code: string }
}

// The switch needs the file alone, and SQLite does not wait for that, whatever `busy_timeout` says: of processes that
// open a new file at the same moment, all but one would be told that it is locked.
function switchToWal(connection: SqliteHandle, patienceMs: number): void {
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
function setDurability(connection: SqliteHandle, synchronous: keyof typeof SYNCHRONOUS): void {
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
