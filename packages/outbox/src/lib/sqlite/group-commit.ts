import { OutboxError } from '../errors.ts'

/** The part of better-sqlite3's `Database` that is used. */
export interface SqliteConnection {
  prepare(sql: string): SqliteStatement
  readonly inTransaction: boolean
}

/** The part of better-sqlite3's `Statement` that is used. */
export interface SqliteStatement {
  all(...params: unknown[]): unknown[]
  run(...params: unknown[]): { changes: number }
  /** Whether it returns rows. */
  readonly reader: boolean
  /** Whether it leaves the database as it is. */
  readonly readonly: boolean
  /** Whether its integers come as bigints. */
  safeIntegers?(toggle: boolean): unknown
}

/** One caller's unit: run synchronously inside the transaction, told when the commit is durable, or that it is not. */
export interface Unit<Result = unknown> {
  execute(): Result
  resolve(result: Result): void
  reject(error: unknown): void
}

// A transaction this large costs far more than its fsync already; what waits behind it gets the next one.
const MAX_UNITS_PER_COMMIT = 512

/**
 * Group commit: callers that arrive in one turn of the event loop share one `begin immediate … commit`, hence one
 * fsync. A caller's failed statement undoes that caller's unit and no other, and nobody is answered before the shared
 * commit has returned.
 *
 * A group runs bare first, because a savepoint for each unit costs a fifth of an insert. Only when a unit fails is the
 * transaction rolled back and begun again with a savepoint around each.
 *
 * Always `immediate`: a deferred transaction that upgrades to write fails at once when another process has written,
 * whatever `busy_timeout` says.
 */
export class GroupCommit {
  readonly #connection: SqliteConnection
  readonly #defer: (flush: () => void) => void
  readonly #begin: SqliteStatement
  readonly #commit: SqliteStatement
  readonly #rollback: SqliteStatement
  readonly #savepoint: SqliteStatement
  readonly #release: SqliteStatement
  readonly #rollbackToSavepoint: SqliteStatement
  #waiting: Unit[] = []

  constructor(connection: SqliteConnection, defer: (flush: () => void) => void) {
    this.#connection = connection
    this.#defer = defer
    this.#begin = connection.prepare('begin immediate')
    this.#commit = connection.prepare('commit')
    this.#rollback = connection.prepare('rollback')
    this.#savepoint = connection.prepare('savepoint keepsend_unit')
    this.#release = connection.prepare('release keepsend_unit')
    this.#rollbackToSavepoint = connection.prepare('rollback to keepsend_unit')
  }

  submit<Result>(unit: Unit<Result>): void {
    this.#waiting.push(unit)
    if (this.#waiting.length === 1) this.#defer(() => this.#flush())
  }

  #flush(): void {
    const group = this.#waiting.splice(0, MAX_UNITS_PER_COMMIT)
    if (this.#waiting.length > 0) this.#defer(() => this.#flush())
    this.#commitGroup(group)
  }

  #commitGroup(group: readonly Unit[], isolated = false): void {
    try {
      this.#begin.run()
    } catch (error) {
      for (const unit of group) unit.reject(notAccepted(error))
      return
    }
    const done: { unit: Unit; result: unknown }[] = []
    const failed: { unit: Unit; error: unknown }[] = []
    for (const unit of group) {
      try {
        done.push({ unit, result: isolated ? this.#executeInSavepoint(unit) : unit.execute() })
      } catch (error) {
        if (!isolated && group.length > 1) {
          this.#rollbackIfOpen()
          this.#commitGroup(group, true)
          return
        }
        if (this.#connection.inTransaction) failed.push({ unit, error })
        else {
          this.#afterRollback(group, unit, error)
          return
        }
      }
    }
    this.#finish(done, failed)
  }

  /**
   * SQLite has ended the transaction by itself, and the next statement would commit alone: half a group. When the storage
   * refuses (disk full), it refuses everybody. When one unit did it (a trigger's RAISE(ROLLBACK)), that unit is refused
   * with its own error, and the others begin again without it.
   */
  #afterRollback(group: readonly Unit[], culprit: Unit, error: unknown): void {
    const refusal = asRefusal(error)
    culprit.reject(refusal)
    const others = group.filter((unit) => unit !== culprit)
    if (refusal instanceof OutboxError) for (const other of others) other.reject(refusal)
    else if (others.length > 0) this.#commitGroup(others, true)
  }

  #finish(done: { unit: Unit; result: unknown }[], failed: { unit: Unit; error: unknown }[]): void {
    try {
      if (done.length > 0) this.#commit.run()
      else this.#rollback.run()
    } catch (error) {
      this.#rollbackIfOpen()
      // One unit's deferred constraint must not undo the others: each once more, alone.
      if (done.length === 1) done[0]?.unit.reject(asRefusal(error))
      else for (const { unit } of done) this.#commitGroup([unit])
      done.length = 0
    }
    for (const { unit, result } of done) unit.resolve(result)
    for (const { unit, error } of failed) unit.reject(asRefusal(error))
  }

  #executeInSavepoint(unit: Unit): unknown {
    this.#savepoint.run()
    try {
      const result = unit.execute()
      this.#release.run()
      return result
    } catch (error) {
      if (this.#connection.inTransaction) this.#undoUnit()
      throw error
    }
  }

  /** If even that fails, the whole group goes: half a unit must never be committed with the others. */
  #undoUnit(): void {
    try {
      this.#rollbackToSavepoint.run()
      this.#release.run()
    } catch {
      this.#rollbackIfOpen()
    }
  }

  #rollbackIfOpen(): void {
    if (this.#connection.inTransaction) this.#rollback.run()
  }
}

const STORAGE_REFUSED = /^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|CORRUPT|NOMEM|PROTOCOL|NOTADB)/

/** A refusal of the storage becomes `not_accepted`; a broken constraint or a wrong statement stays the driver's error. */
export function asRefusal(error: unknown): unknown {
  const code = errorCode(error)
  if (code !== undefined && STORAGE_REFUSED.test(code)) return notAccepted(error)
  if (error instanceof Error && /no such table: (pending_events|keepsend_)/.test(error.message)) {
    return new OutboxError('not_migrated', `${error.message}: run migrate(db) before anything else`, { cause: error })
  }
  return error
}

function notAccepted(cause: unknown): OutboxError {
  if (cause instanceof OutboxError) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new OutboxError(
    'not_accepted',
    `not accepted, nothing was committed: ${errorCode(cause) ?? ''} ${reason}`.trim(),
    { cause },
  )
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
