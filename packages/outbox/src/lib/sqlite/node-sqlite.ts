import { checkNames } from '../errors.ts'
import type { OutboxDatabase } from '../database.ts'
import { SQLITE_OPTIONS, type SqliteOptions, fromBetterSqlite } from './database.ts'
import type { SqliteConnection, SqliteStatement } from './group-commit.ts'

/** The part of node:sqlite's `DatabaseSync` that is used. */
export interface NodeSqliteConnection {
  prepare(sql: string): NodeSqliteStatement
  exec(sql: string): void
  /** Node 22.16 and later. */
  readonly isTransaction?: boolean
}

/** The part of node:sqlite's `StatementSync` that is used. */
export interface NodeSqliteStatement {
  all(...params: (string | number | null | Uint8Array)[]): unknown[]
  run(...params: (string | number | null | Uint8Array)[]): { changes: number | bigint }
  setReadBigInts(enabled: boolean): void
  /** Node 24 and later. */
  setReturnArrays?(enabled: boolean): void
}

/**
 * Keepsend's view of a connection of Node's own driver, `node:sqlite`, that the caller opened: the same as
 * `fromBetterSqlite`, with nothing to install. Node 22.13 and later.
 *
 * @throws {OutboxError} `invalid_option`
 * @example
 * import { DatabaseSync } from 'node:sqlite'
 * const db = fromNodeSqlite(new DatabaseSync('app.db'))
 */
export function fromNodeSqlite(connection: NodeSqliteConnection, options: SqliteOptions = {}): OutboxDatabase {
  checkNames('fromNodeSqlite', SQLITE_OPTIONS, options)
  return fromBetterSqlite(likeBetterSqlite(connection), options)
}

function likeBetterSqlite(connection: NodeSqliteConnection): SqliteConnection {
  return {
    get inTransaction() {
      return connection.isTransaction ?? isInTransaction(connection)
    },
    prepare(sql) {
      const statement = prepare(connection, sql)
      return {
        ...kindOf(connection, sql),
        all: (...params) => statement.all(...(params as string[])),
        run: (...params) => ({ changes: Number(statement.run(...(params as string[])).changes) }),
      }
    },
  }
}

// The host's choice of how rows are read applies only to its own statements.
function prepare(connection: NodeSqliteConnection, sql: string): NodeSqliteStatement {
  const statement = connection.prepare(sql)
  statement.setReadBigInts(false)
  statement.setReturnArrays?.(false)
  return statement
}

// Node before 22.16 does not tell. A transaction cannot begin inside another, and one that begins here changes
// nothing.
function isInTransaction(connection: NodeSqliteConnection): boolean {
  try {
    connection.exec('begin; rollback')
    return false
  } catch {
    return true
  }
}

/**
 * Whether a statement returns rows, and whether it changes the database. Node does not tell, but `explain` does: a
 * `Transaction` whose second operand is not 0 writes.
 */
function kindOf(connection: NodeSqliteConnection, sql: string): Pick<SqliteStatement, 'reader' | 'readonly'> {
  if (/^\s*explain\b/i.test(sql)) return { reader: true, readonly: true }
  const steps = prepare(connection, `explain ${sql}`).all() as { opcode: string; p2: number }[]
  return {
    reader: steps.some(({ opcode }) => opcode === 'ResultRow'),
    readonly: !steps.some(({ opcode, p2 }) => WRITES.has(opcode) || (opcode === 'Transaction' && p2 !== 0)),
  }
}

const WRITES = new Set(['Checkpoint', 'JournalMode', 'Vacuum'])
