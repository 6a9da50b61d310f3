import type { Row, SqlResult, Statement } from './statement.ts'
import type { Dialect } from './dialect.ts'

/**
 * The part of a database that the verbs need. An implementation must promise three things:
 *
 * - `run` and `atomic` resolve only when their writes are as durable as the database makes them.
 * - `atomic` commits every statement or none, in their order, with no other writer between them. It takes no callback,
 *   because D1 has no interactive transactions.
 * - A write that was certainly not committed rejects with `OutboxError` `not_accepted`, one that may have been
 *   committed with `commit_unconfirmed`. A broken constraint rejects with the driver's own error, and nothing of its
 *   transaction is committed.
 */
export interface OutboxDatabase {
  readonly dialect: Dialect
  /** Runs one statement in a transaction of its own. */
  run<R extends object = Row>(statement: Statement): Promise<SqlResult<R>>
  /** Runs the statements as one transaction and returns a result for each, in order. An empty list does nothing. */
  atomic(statements: readonly Statement[]): Promise<SqlResult[]>
  /** Housekeeping of the database itself, bounded; each round of maintenance calls it. */
  maintain?(): Promise<void>
  /**
   * Removes what deleted rows have left in the database's log. Resolves to false while a reader keeps it from that. An
   * erasure ends with it; undefined where no statement can do it.
   */
  scrub?(): Promise<boolean>
}

/** The row of a statement that always returns one. */
export function onlyRow<R extends object>(rows: readonly R[]): R {
  const [row] = rows
  if (!row) throw new Error('a statement that always returns a row returned none')
  return row
}

/**
 * The same result under the type that the author of its statement gave to its rows: the one place where a driver's rows
 * get a type. Rows of a table are read through its codec instead.
 */
export function rowsAs<R extends object>(result: Promise<SqlResult>): Promise<SqlResult<R>> {
  return result as Promise<SqlResult<R>>
}
