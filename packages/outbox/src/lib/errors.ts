import { shareInstances } from './copies.ts'
import { createOptionChecks } from './options.ts'
import { inOneLine, refusalOf } from './runtime.ts'

/**
 * The reason of an {@link OutboxError}, as a stable code.
 *
 * - `invalid_event`: the event breaks a rule; nothing was written.
 * - `invalid_option`: an option is unknown or out of its bounds; nothing was done.
 * - `invalid_statement`: a statement cannot commit together with others, or has too few or too many values; nothing was
 *   written.
 * - `not_accepted`: the database refused the write (full, busy, I/O error); nothing was committed.
 * - `commit_unconfirmed`: the connection broke, or the disk failed, around the commit; the write may have taken place.
 * - `storage_unsafe`: the SQLite file is damaged, was replaced, or is open by a second SQLite library. Retrying does
 *   not help: stop the process and fix the cause.
 * - `not_migrated`: the tables are missing.
 * - `unsupported_runtime`: Node is older than 22.12. Thrown by the import, before anything of the package can be
 *   called.
 */
export type OutboxErrorCode =
  | 'invalid_event'
  | 'invalid_option'
  | 'invalid_statement'
  | 'not_accepted'
  | 'commit_unconfirmed'
  | 'storage_unsafe'
  | 'not_migrated'
  | 'unsupported_runtime'

/**
 * The one error class of `@keepsend/outbox`. Branch on {@link OutboxError.code}; the message is for people.
 * `instanceof` also recognizes errors from other copies of the package in the process.
 */
export class OutboxError extends Error {
  override readonly name = 'OutboxError'
  readonly code: OutboxErrorCode

  constructor(code: OutboxErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  static {
    shareInstances(this, '@keepsend/outbox OutboxError')
  }
}

// Here, because every module of every package imports this one. The check must run before an older Node loads code
// that it cannot run: undici's globals, or better-sqlite3's addon, which ends the process. Node reads the comment in
// the line below, and prints no source.
const refusal = refusalOf()
if (refusal !== undefined) throw inOneLine(() => new OutboxError('unsupported_runtime', refusal)) // node-do-not-add-exception-line

/**
 * Whether the database refused because another session held a lock for longer than this one waits (Postgres'
 * `lock_timeout`). The database is healthy, and statements on other rows succeed.
 */
export function isLockTimeout(error: unknown): boolean {
  if (!(error instanceof OutboxError) || !(error.cause instanceof Error)) return false
  return 'code' in error.cause && error.cause.code === '55P03'
}

/**
 * Whether the database refused a null in this column. A statement can prevent its own transaction by selecting a null
 * for a column that takes none: that undoes the transaction on every database, also in the middle of a `batch()`.
 */
export function isNullRefused(error: unknown, table: string, column: string): boolean {
  if (!(error instanceof Error)) return false
  const { message } = error
  if (message.includes(`NOT NULL constraint failed: ${table}.${column}`)) return true
  // Postgres says it in the server's language.
  const isPostgres = 'code' in error && error.code === '23502'
  return (
    (isPostgres && message.includes(table) && message.includes(column)) || isNullRefused(error.cause, table, column)
  )
}

/** Refuses options, each under its name, as `invalid_option`. */
export const { checkBounds, checkNames } = createOptionChecks((message) => new OutboxError('invalid_option', message))
