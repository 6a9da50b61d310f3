import type { Row, SqlResult, Statement } from './statement.ts'
import type { Dialect } from './dialect.ts'

/**
 * The database, as little of it as the verbs need. Three promises make an implementation fit:
 *
 * - `run` and `atomic` resolve only when what they wrote is as durable as the database makes it.
 * - `atomic` commits every statement or none, in their order, with no other writer between them. It takes no
 *   callback, because D1 has no interactive transactions.
 * - A write that was certainly not committed rejects with `OutboxError` `not_accepted`, one that may have been with
 *   `commit_unconfirmed`; a broken constraint rejects with the driver's own error, and nothing of its unit is kept.
 */
export interface OutboxDatabase {
  readonly dialect: Dialect
  /** Runs one statement, a transaction of its own. */
  run<R extends object = Row>(statement: Statement): Promise<SqlResult<R>>
  /** Runs the statements as one transaction; a result for each, in order. An empty list does nothing. */
  atomic(statements: readonly Statement[]): Promise<SqlResult[]>
  /** What the database itself needs from time to time, bounded: called with each round of maintenance. */
  maintain?(): Promise<void>
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
