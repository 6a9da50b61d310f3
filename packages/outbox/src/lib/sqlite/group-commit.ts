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
  /** How long it waits for the write lock, by `performance.now()`; from the first time that the lock was taken. */
  giveUpAt?: number
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
 * Always `immediate`: a deferred transaction that upgrades to write fails immediately when another process has written,
 * whatever `busy_timeout` says.
 *
 * While another connection has the write lock, the group waits in front of later callers and is tried again by a timer:
 * that connection may be this very process's, and needs the event loop to end its transaction.
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
  /** Tries in a row that found the write lock taken. */
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
      this.#afterFailedCommit(
        done.map(({ unit }) => unit),
        error,
      )
      done.length = 0
    }
    for (const { unit, result } of done) unit.resolve(result)
    for (const { unit, error } of failed) unit.reject(asRefusal(error))
  }

  /** One unit's deferred constraint must not undo the others: each once more, alone. The storage refuses everybody. */
  #afterFailedCommit(units: readonly Unit[], error: unknown): void {
    const refusal = asRefusal(error, 'commit')
    if (isBusy(error)) this.#waitOrRefuse(units, error)
    else if (units.length === 1 || refusal instanceof OutboxError) for (const unit of units) unit.reject(refusal)
    else for (const unit of units) this.#commitGroup([unit])
  }

  /** Nothing of the group is kept. A transaction that the host has open on this connection is waited for as well. */
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
