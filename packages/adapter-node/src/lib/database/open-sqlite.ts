import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { OutboxDatabase } from '@keepsend/outbox'
import type { OptionNames } from '@keepsend/outbox/internal'
import { isSqliteBusy } from '@keepsend/outbox/sqlite'
import { NodeAdapterError, checkBounds, checkNames } from '../errors.ts'
import {
  type NodeSqliteHandle,
  SQLITE_DRIVERS,
  type SqliteDriver,
  type SqliteHandle,
  valueOf,
} from './sqlite-drivers.ts'
import { SqliteFile, createPrivately } from './sqlite-file.ts'

export interface OpenSqliteOptions {
  /**
   * The library: `better-sqlite3`, which must be installed, or Node's own `node:sqlite` (Node 22.13 and later). All
   * connections of a process to one file must use the same library. @default 'better-sqlite3'
   */
  driver?: SqliteDriver | undefined
  /**
   * `FULL`: acknowledged commits survive a power cut. `NORMAL`: they survive a kill of the process, but a power cut may undo
   * the last ones (590 of 600 simulated cuts did; with `FULL` none of 4,200). @default 'FULL'
   */
  synchronous?: 'FULL' | 'NORMAL' | undefined
  /**
   * How long a caller waits for a lock that another connection holds, in ms: 0–60,000. Does not block the event loop.
   * @default 5000
   */
  busyTimeoutMs?: number | undefined
}

export const SQLITE_OPTIONS = {
  driver: 'text',
  synchronous: 'text',
  busyTimeoutMs: 'number',
} satisfies OptionNames<OpenSqliteOptions>

/** Keepsend's database on a SQLite file. */
export interface SqliteDatabase<Connection = SqliteHandle> extends OutboxDatabase {
  /**
   * For the host's own drizzle or reads. Write through `commit` instead: such writes share the fsync and the transaction, and
   * wait for other connections without blocking the event loop. A statement on the connection itself waits for 5 ms.
   */
  readonly connection: Connection
  /** A number that changes when another connection or process has committed. */
  version(): number
  /** Truncates a write-ahead log that grew during a long read. */
  maintain(): Promise<void>
  close(): void
}

const SYNCHRONOUS = { NORMAL: 1, FULL: 2 } as const

// Twice the size of the log between two checkpoints.
const MAX_LOG_BYTES = 16 * 1024 * 1024

/**
 * Opens a file (or `:memory:`) in WAL mode with the given durability. Commits of one event-loop tick share one fsync. A new
 * file is readable only by its owner, and deleted rows are overwritten. Pass the driver's type as type argument to use its
 * handle elsewhere, for example with drizzle.
 *
 * Does not wait for locks: settings that need a lock which another connection holds are applied before the first statement.
 *
 * @throws {NodeAdapterError} `not_durable` when the database does not keep the mode it was given; `second_library` when another
 *   SQLite library of this process has the file open (detected on Linux only); `invalid_option`
 * @example
 * import type { Database } from 'better-sqlite3'
 * const db = openSqlite<Database>('app.db')
 * const orm = drizzle({ client: db.connection })
 */
export function openSqlite<Connection extends NodeSqliteHandle = NodeSqliteHandle>(
  file: string,
  options: OpenSqliteOptions & { driver: 'node:sqlite' },
): SqliteDatabase<Connection>
export function openSqlite<Connection extends SqliteHandle = SqliteHandle>(
  file: string,
  options?: OpenSqliteOptions,
): SqliteDatabase<Connection>
export function openSqlite(
  file: string,
  options: OpenSqliteOptions = {},
): SqliteDatabase<SqliteHandle | NodeSqliteHandle> {
  checkNames('openSqlite', SQLITE_OPTIONS, options)
  const { driver = 'better-sqlite3', synchronous = 'FULL', busyTimeoutMs = 5000 } = options
  checkBounds('busyTimeoutMs', busyTimeoutMs, 0, 60_000)
  if (!Object.hasOwn(SQLITE_DRIVERS, driver)) {
    throw new NodeAdapterError(
      'invalid_option',
      `driver must be better-sqlite3 or node:sqlite; found ${driver as string}`,
    )
  }
  if (!Object.hasOwn(SYNCHRONOUS, synchronous)) {
    throw new NodeAdapterError('invalid_option', `synchronous must be FULL or NORMAL; found ${synchronous as string}`)
  }
  // Absolute, because the process may change its working directory.
  const path = resolve(file)
  if (isPath(file)) createPrivately(path)
  const onDisk = isPath(file) && existsSync(path) ? new SqliteFile(path, driver) : undefined
  try {
    return openWith(driver, file, { synchronous, busyTimeoutMs, onDisk })
  } catch (error) {
    onDisk?.closed()
    throw error
  }
}

function openWith(
  driver: SqliteDriver,
  file: string,
  how: { synchronous: keyof typeof SYNCHRONOUS; busyTimeoutMs: number; onDisk: SqliteFile | undefined },
): SqliteDatabase<SqliteHandle | NodeSqliteHandle> {
  const { synchronous, busyTimeoutMs, onDisk } = how
  const { connection, view } = SQLITE_DRIVERS[driver](file)
  let isSetUp = false
  let isOpen = true
  const check = (): void => {
    onDisk?.check()
    if (isSetUp) return
    setUp(connection, synchronous)
    onDisk?.begun()
    isSetUp = true
  }
  try {
    const db = view({ defer: setImmediate, busyTimeoutMs, check })
    setUpNow(check)
    const dataVersion = connection.prepare('pragma data_version')
    return {
      ...db,
      connection,
      version() {
        try {
          onDisk?.check()
        } catch {
          // Another number, so that the poller looks and gets the error with its reason.
          return -1
        }
        return Number(Object.values(dataVersion.get() as object)[0])
      },
      async maintain() {
        if (onDisk && onDisk.logBytes > MAX_LOG_BYTES) connection.exec('pragma wal_checkpoint(TRUNCATE)')
      },
      close() {
        if (!isOpen) return
        isOpen = false
        connection.close()
        onDisk?.closed()
      },
    }
  } catch (error) {
    connection.close()
    throw error
  }
}

// Not in memory, temporary, or a URI.
function isPath(file: string): boolean {
  return file !== ':memory:' && file.trim() !== '' && !file.startsWith('file:')
}

// Switching to WAL needs an exclusive lock, and the write needs the write lock. While another process has them, this is
// repeated before the first statement, which waits without blocking the event loop.
function setUpNow(check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!isSqliteBusy(error)) throw error
  }
}

function setUp(connection: SqliteHandle | NodeSqliteHandle, synchronous: keyof typeof SYNCHRONOUS): void {
  connection.exec('pragma foreign_keys = ON')
  // Deleted tokens and payloads are overwritten in the file.
  connection.exec('pragma secure_delete = ON')
  // A claim collects its result in a temporary table. As a file, it is created, written and deleted at each claim: 2.2 of
  // 17.6 µs a delivery.
  connection.exec('pragma temp_store = MEMORY')
  // Half as often as the default: a page that changes repeatedly is copied into the file once, not twice (3% of a drain).
  // The WAL grows to 8 MB, and a checkpoint blocks the event loop for about twice as long.
  connection.exec('pragma wal_autocheckpoint = 2000')
  // A log that grew during a long read is truncated when it restarts.
  connection.exec(`pragma journal_size_limit = ${MAX_LOG_BYTES}`)
  // The first statement that needs a lock.
  connection.exec('pragma journal_mode = WAL')
  // Set after the journal mode and checked after a write: better-sqlite3 is compiled to fall back to NORMAL in WAL mode, and
  // a new database shows that only after its first write.
  connection.exec(`pragma synchronous = ${synchronous}`)
  connection.exec('begin immediate')
  try {
    connection.exec(`pragma user_version = ${String(valueOf(connection, 'pragma user_version'))}`)
  } finally {
    connection.exec('commit')
  }
  const found = valueOf(connection, 'pragma synchronous')
  if (found !== SYNCHRONOUS[synchronous]) {
    throw new NodeAdapterError(
      'not_durable',
      `synchronous should be ${synchronous} (${SYNCHRONOUS[synchronous]}) after the first write; found ${String(found)}`,
    )
  }
}
