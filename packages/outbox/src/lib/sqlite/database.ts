import type { OptionNames } from '../options.ts'
import { type OutboxDatabase, rowsAs } from '../database.ts'
import { type Row, type SqlResult, type SqlText, type Statement, toTransactionSql } from '../statement.ts'
import { checkBounds, checkNames } from '../errors.ts'
import { sqliteDialect } from './dialect.ts'
import { asRefusal, isBusy } from './errors.ts'
import { GroupCommit, type SqliteConnection, type SqliteStatement } from './group-commit.ts'
import { BLOCKING_MS, delayOf } from './patience.ts'

export interface SqliteOptions {
  /**
   * When a group of callers is closed and committed. The later, the more callers share an fsync; Node's `setImmediate`
   * closes it once every request that arrived in this event-loop tick was read.
   *
   * @default a microtask
   */
  defer?: ((flush: () => void) => void) | undefined
  /**
   * How long a caller waits for a lock of another connection, in ms: 0–60,000. The wait does not block the event loop,
   * so the other connection may belong to this process. @default 5000
   */
  busyTimeoutMs?: number | undefined
  /**
   * Called before each read and each group of writes. An error that it throws refuses them; an `SQLITE_BUSY` error
   * makes them wait as if they had met it themselves. @default nothing
   */
  check?: (() => void) | undefined
}

export const SQLITE_OPTIONS = {
  defer: 'function',
  busyTimeoutMs: 'number',
  check: 'function',
} satisfies OptionNames<SqliteOptions>

// Keepsend has a few dozen statements; the host's own texts must not grow the cache without bound.
const MAX_PREPARED = 500

/**
 * Keepsend's view of a better-sqlite3 connection that the caller opened. Reads run immediately; every write goes
 * through the group commit. Set WAL, `synchronous=FULL` and `temp_store=MEMORY`, as adapter-node's `openSqlite` does.
 * The connection's `busy_timeout` is set to at most 5 ms, also for the host's own statements, because a wait inside
 * SQLite blocks the event loop. Its `secure_delete` is set to on, so that deleted rows are overwritten.
 *
 * @throws {OutboxError} `invalid_option`
 */
export function fromBetterSqlite(connection: SqliteConnection, options: SqliteOptions = {}): OutboxDatabase {
  checkNames('fromBetterSqlite', SQLITE_OPTIONS, options)
  const { defer = (flush) => void Promise.resolve().then(flush), busyTimeoutMs = 5000, check = () => {} } = options
  checkBounds('busyTimeoutMs', busyTimeoutMs, 0, 60_000)
  connection.prepare(`pragma busy_timeout = ${Math.min(BLOCKING_MS, busyTimeoutMs)}`).all()
  // Deleted rows are overwritten in the file.
  connection.prepare('pragma secure_delete = on').all()
  const group = new GroupCommit(connection, defer, { ms: busyTimeoutMs, check })
  const prepared = new Map<string, SqliteStatement>()

  function prepare(sql: string): SqliteStatement {
    let statement = prepared.get(sql)
    if (!statement) {
      if (prepared.size >= MAX_PREPARED) prepared.delete(prepared.keys().next().value ?? sql)
      statement = connection.prepare(sql)
      // Numbers, whatever the host's `defaultSafeIntegers` is.
      statement.safeIntegers?.(false)
      prepared.set(sql, statement)
    }
    return statement
  }

  function execute({ sql, params }: SqlText): SqlResult {
    return runPrepared(prepare(sql), params)
  }

  return {
    dialect: sqliteDialect,
    run<R extends object>(statement: Statement) {
      const ran = new Promise<SqlResult>((resolve, reject) => {
        let giveUpAt: number | undefined
        const attempt = (tries: number): void => {
          try {
            check()
            const { sql, params } = toTransactionSql(statement, 'sqlite')
            const ready = prepare(sql)
            if (ready.readonly) resolve(runPrepared(ready, params))
            else group.submit({ execute: () => runPrepared(ready, params), resolve, reject })
          } catch (error) {
            giveUpAt ??= performance.now() + busyTimeoutMs
            if (isBusy(error) && performance.now() < giveUpAt) setTimeout(() => attempt(tries + 1), delayOf(tries))
            else reject(asRefusal(error))
          }
        }
        attempt(1)
      })
      return rowsAs<R>(ran)
    },
    atomic(statements) {
      if (statements.length === 0) return Promise.resolve([])
      return new Promise((resolve, reject) => {
        // All texts are checked before the first runs, so that nothing is written when one is refused.
        const texts = statements.map((statement) => toTransactionSql(statement, 'sqlite'))
        group.submit({ execute: () => texts.map(execute), resolve, reject })
      })
    },
    async scrub() {
      check()
      try {
        const [found] = connection.prepare('pragma wal_checkpoint(truncate)').all() as { busy: number | bigint }[]
        return Number(found?.busy ?? 0) === 0
      } catch (error) {
        // The host has an open transaction on the connection.
        if (isBusy(error) || connection.inTransaction) return false
        throw error
      }
    },
  }
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean'
}

function runPrepared(statement: SqliteStatement, params: readonly unknown[]): SqlResult {
  // SQLite has no boolean to bind; drizzle's raw `sql` passes one through as it is.
  const values = params.some(isBoolean) ? params.map((value) => (isBoolean(value) ? Number(value) : value)) : params
  if (!statement.reader) return { rows: [], changes: statement.run(...values).changes }
  const rows = statement.all(...values) as Row[]
  return { rows, changes: statement.readonly ? 0 : rows.length }
}
