import { type OutboxDatabase, type Row, type SqlResult, rowsAs } from '../database.ts'
import { type SqlText, type Statement, toTransactionSql } from '../statement.ts'
import { GroupCommit, type SqliteConnection, type SqliteStatement, asRefusal } from './group-commit.ts'
import { sqliteDialect } from './dialect.ts'

export interface SqliteOptions {
  /**
   * When a group of callers is closed and committed. The later, the more callers share an fsync; Node's `setImmediate`
   * closes it once every request that arrived in this turn of the event loop was read.
   * @default a microtask
   */
  defer?: ((flush: () => void) => void) | undefined
}

// Statements of ours are a few dozen; a caller's own texts must not grow the cache without end.
const MAX_PREPARED = 500

/**
 * Keepsend's view of a better-sqlite3 connection that the caller opened. Reads run at once; every write goes through
 * the group commit. Bring WAL, `synchronous=FULL`, `busy_timeout` and `temp_store=MEMORY`: adapter-node's
 * `openSqlite` sets them.
 */
export function fromBetterSqlite(connection: SqliteConnection, options: SqliteOptions = {}): OutboxDatabase {
  const defer = options.defer ?? ((flush) => void Promise.resolve().then(flush))
  const group = new GroupCommit(connection, defer)
  const prepared = new Map<string, SqliteStatement>()

  function prepare(sql: string): SqliteStatement {
    let statement = prepared.get(sql)
    if (!statement) {
      if (prepared.size >= MAX_PREPARED) prepared.delete(prepared.keys().next().value ?? sql)
      statement = connection.prepare(sql)
      // Numbers, whatever the host's `defaultSafeIntegers` says.
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
        try {
          const { sql, params } = toTransactionSql(statement, 'sqlite')
          const ready = prepare(sql)
          if (ready.readonly) resolve(runPrepared(ready, params))
          else group.submit({ execute: () => runPrepared(ready, params), resolve, reject })
        } catch (error) {
          reject(asRefusal(error))
        }
      })
      return rowsAs<R>(ran)
    },
    atomic(statements) {
      if (statements.length === 0) return Promise.resolve([])
      return new Promise((resolve, reject) => {
        // All of them before the first runs: what is refused is refused before anything is written.
        const texts = statements.map((statement) => toTransactionSql(statement, 'sqlite'))
        group.submit({ execute: () => texts.map(execute), resolve, reject })
      })
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
