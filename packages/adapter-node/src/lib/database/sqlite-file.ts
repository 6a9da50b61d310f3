import { closeSync, openSync, realpathSync, statSync } from 'node:fs'
import { OutboxError } from '@keepsend/outbox'
import { sharedByCopies } from '@keepsend/outbox/internal'
import { NodeAdapterError } from '../errors.ts'
import type { SqliteDriver } from './sqlite-drivers.ts'
import { handlesOn, librariesUsing, otherLibraries } from './sqlite-libraries.ts'

interface Identity {
  dev: bigint
  ino: bigint
}

// Two looks at the file are at least this far apart: what was committed for longer to a file that is gone is lost.
const LOOK_MS = 1000

// What openSqlite has open in this process: handles by file and driver.
const opened = (): Map<string, Map<SqliteDriver, number>> =>
  sharedByCopies('@keepsend/adapter-node opened', () => new Map())

/**
 * The file of an open database. It is refused when another SQLite library of this process has it open; later it is looked
 * at once a second, whenever the database is used, for such a library and for a file or a write-ahead log that is not the
 * one that was opened.
 */
export class SqliteFile {
  readonly #path: string
  readonly #driver: SqliteDriver
  readonly #file: Identity
  #log: Identity | undefined
  #fault: OutboxError | undefined
  #lookedAt = performance.now()

  /** @throws {NodeAdapterError} `second_library` */
  constructor(path: string, driver: SqliteDriver) {
    this.#path = realpathSync(path)
    this.#driver = driver
    this.#file = identityOf(this.#path) as Identity
    const byDriver = this.#opened
    const others: string[] = [...byDriver.keys()].filter((one) => one !== driver)
    // Handles beside our own may be of the same library, which is fine. With none of our own, whose they are cannot be told.
    if (byDriver.size === 0 && handlesOn(this.#file) > 0) others.push(...otherLibraries(driver))
    if (others.length > 0) throw this.#refusal(`beside ${driver}, this process has ${others.join(', ')} loaded`)
    byDriver.set(driver, (byDriver.get(driver) ?? 0) + 1)
    opened().set(this.#key, byDriver)
  }

  /** The file is in WAL mode and was written to, so its log is there. @throws {NodeAdapterError} `second_library` */
  begun(): void {
    this.#log = identityOf(`${this.#path}-wal`)
    if (librariesUsing(this.#path) > 1) throw this.#refusal('two of this process use it now')
  }

  /** @throws {OutboxError} `storage_unsafe` when the file must not be used any more */
  check(): void {
    const now = performance.now()
    if (!this.#fault && now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now
      this.#fault = this.#look()
    }
    if (this.#fault) throw this.#fault
  }

  /** The size of its write-ahead log. */
  get logBytes(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  }

  closed(): void {
    const byDriver = this.#opened
    const left = (byDriver.get(this.#driver) ?? 1) - 1
    if (left > 0) byDriver.set(this.#driver, left)
    else byDriver.delete(this.#driver)
    if (byDriver.size === 0) opened().delete(this.#key)
  }

  get #key(): string {
    return `${this.#file.dev}:${this.#file.ino}`
  }

  get #opened(): Map<SqliteDriver, number> {
    return opened().get(this.#key) ?? new Map<SqliteDriver, number>()
  }

  #look(): OutboxError | undefined {
    const log = `${this.#path}-wal`
    if (!isSame(this.#file, identityOf(this.#path))) return this.#gone(this.#path)
    if (this.#log && !isSame(this.#log, identityOf(log))) return this.#gone(log)
    if (librariesUsing(this.#path) < 2) return undefined
    return new OutboxError(
      'storage_unsafe',
      `a second SQLite library of this process has opened ${this.#path}: ${WHY}. Stop this process, check the file by "pragma integrity_check", and ${WAY_OUT}`,
    )
  }

  #gone(path: string): OutboxError {
    return new OutboxError(
      'storage_unsafe',
      `${path} was replaced or removed while it was open: what is committed now would be in no file. Restart this process, and stop it before its file is replaced the next time`,
    )
  }

  #refusal(found: string): NodeAdapterError {
    return new NodeAdapterError(
      'second_library',
      `another SQLite library seems to have ${this.#path} open (${found}): ${WHY}; ${WAY_OUT}. If it is this library's own connection, open that after openSqlite`,
    )
  }
}

const WHY = "two SQLite libraries in one process do not see each other's locks, and corrupt the file"
const WAY_OUT =
  "use one library for it: openSqlite(file, { driver: 'node:sqlite' }) beside node:sqlite, better-sqlite3 for both, or a process for each"

/** Makes the file, and with it those that SQLite makes beside it, readable by its owner alone. One that is there stays as it is. */
export function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch {
    // It is there, or cannot be made, which the driver says better.
  }
}

/** Undefined: it is not there. */
function identityOf(path: string): Identity | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })
}

function isSame(one: Identity, other: Identity | undefined): boolean {
  return one.dev === other?.dev && one.ino === other.ino
}
