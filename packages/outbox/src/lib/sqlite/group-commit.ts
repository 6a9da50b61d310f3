import { OutboxError } from '../errors.ts'
import { asRefusal, isBusy } from './errors.ts'
import { type Patience, delayOf } from './patience.ts'

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
  /** Whether it leaves the database unchanged. */
  readonly readonly: boolean
  /** Whether its integers are bigints. */
  safeIntegers?(toggle: boolean): unknown
}

/**
 * One caller's transaction: run synchronously inside the shared one. Its caller is answered when the commit is durable,
 * or has failed.
 */
export interface Unit<Result = unknown> {
  execute(): Result
  resolve(result: Result): void
  reject(error: unknown): void
  /** When it stops waiting for the write lock, by `performance.now()`; set when the lock is first found taken. */
  giveUpAt?: number
}

// A transaction this large costs far more than its fsync already; later callers get the next one.
const MAX_UNITS_PER_COMMIT = 512

/**
 * Group commit: callers that arrive in one event-loop tick share one `begin immediate … commit`, hence one fsync. A
 * failed statement undoes its own caller's transaction and no other, and no caller is answered before the shared commit
 * has returned.
 *
 * A group first runs without savepoints, because one for each caller costs a fifth of an insert. Only if one fails is
 * the transaction rolled back and started again with a savepoint around each.
 *
 * Always `immediate`: a deferred transaction that upgrades to write fails immediately when another process has written,
 * whatever `busy_timeout` says.
 *
 * While another connection has the write lock, the group stays ahead of later callers and a timer retries it: that
 * connection may belong to this process, and needs the event loop to end its transaction.
 */
export class GroupCommit {
  readonly #connection: SqliteConnection
  readonly #defer: (flush: () => void) => void
  readonly #patience: Patience
  readonly #begin: SqliteStatement
  readonly #commit: SqliteStatement
  readonly #rollback: SqliteStatement
  readonly #savepoint: SqliteStatement
  readonly #release: SqliteStatement
  readonly #rollbackToSavepoint: SqliteStatement
  #waiting: Unit[] = []
  #isScheduled = false
  /** Consecutive attempts that found the write lock taken. */
  #busyTries = 0

  constructor(connection: SqliteConnection, defer: (flush: () => void) => void, patience: Patience) {
    this.#connection = connection
    this.#defer = defer
    this.#patience = patience
    this.#begin = connection.prepare('begin immediate')
    this.#commit = connection.prepare('commit')
    this.#rollback = connection.prepare('rollback')
    this.#savepoint = connection.prepare('savepoint keepsend_unit')
    this.#release = connection.prepare('release keepsend_unit')
    this.#rollbackToSavepoint = connection.prepare('rollback to keepsend_unit')
  }

  submit<Result>(unit: Unit<Result>): void {
    this.#waiting.push(unit)
    this.#schedule(this.#defer)
  }

  #schedule(defer: (flush: () => void) => void): void {
    if (this.#isScheduled || this.#waiting.length === 0) return
    this.#isScheduled = true
    defer(() => this.#flush())
  }

  #flush(): void {
    this.#isScheduled = false
    this.#commitGroup(this.#waiting.splice(0, MAX_UNITS_PER_COMMIT))
    const later = (flush: () => void): void => void setTimeout(flush, delayOf(this.#busyTries))
    this.#schedule(this.#busyTries > 0 ? later : this.#defer)
  }

  #commitGroup(group: readonly Unit[], isolated = false): void {
    try {
      this.#patience.check()
      this.#begin.run()
    } catch (error) {
      this.#waitOrRefuse(group, error)
      return
    }
    this.#busyTries = 0
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
   * SQLite ended the transaction by itself, so the next statement would commit alone, as half a group. If the storage
   * refused (disk full), every caller is refused. If one caller did it (a trigger's RAISE(ROLLBACK)), that caller gets
   * its own error, and the others start again without it.
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
      this.#afterFailedCommit(
        done.map(({ unit }) => unit),
        error,
      )
      done.length = 0
    }
    for (const { unit, result } of done) unit.resolve(result)
    for (const { unit, error } of failed) unit.reject(asRefusal(error))
  }

  /**
   * Retries each caller alone, because one caller's deferred constraint must not undo the others. If the storage
   * refused, every caller is refused.
   */
  #afterFailedCommit(units: readonly Unit[], error: unknown): void {
    const refusal = asRefusal(error, 'commit')
    if (isBusy(error)) this.#waitOrRefuse(units, error)
    else if (units.length === 1 || refusal instanceof OutboxError) for (const unit of units) unit.reject(refusal)
    else for (const unit of units) this.#commitGroup([unit])
  }

  /** Nothing of the group was committed. Also waits for a transaction that the host has open on this connection. */
  #waitOrRefuse(group: readonly Unit[], error: unknown): void {
    const now = performance.now()
    const isWorthWaiting = isBusy(error) || this.#connection.inTransaction
    const patient: Unit[] = []
    for (const unit of group) {
      unit.giveUpAt ??= now + this.#patience.ms
      if (isWorthWaiting && now < unit.giveUpAt) patient.push(unit)
      else unit.reject(asRefusal(error, 'begin'))
    }
    this.#waiting.unshift(...patient)
    if (patient.length > 0) this.#busyTries++
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

  /**
   * If even that fails, the whole group is refused: half a caller's transaction must never be committed with the
   * others.
   */
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
