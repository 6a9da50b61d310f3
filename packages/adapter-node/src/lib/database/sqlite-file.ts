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

// Interval of the checks. Commits to a file that was replaced are lost, for at most this long.
const LOOK_MS = 1000

// Open handles of openSqlite in this process, by file and driver.
const opened = (): Map<string, Map<SqliteDriver, number>> =>
  sharedByCopies('@keepsend/adapter-node opened', () => new Map())

/**
 * The file of an open database. Opening is refused when another SQLite library of this process has it open. While the
 * database is used, it checks once a second for such a library, and whether the file or its write-ahead log was replaced.
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
    // Other handles may belong to the same library, which is safe. Without a handle of our own we cannot tell.
    if (byDriver.size === 0 && handlesOn(this.#file) > 0) others.push(...otherLibraries(driver))
    if (others.length > 0) throw this.#refusal(`beside ${driver}, this process has ${others.join(', ')} loaded`)
    byDriver.set(driver, (byDriver.get(driver) ?? 0) + 1)
    opened().set(this.#key, byDriver)
  }

  /** Call when the file is in WAL mode and was written to, so that its log exists. @throws {NodeAdapterError} `second_library` */
  begun(): void {
    this.#log = identityOf(`${this.#path}-wal`)
    if (librariesUsing(this.#path) > 1) throw this.#refusal('two libraries of this process use it now')
  }

  /** @throws {OutboxError} `storage_unsafe` when the file must no longer be used */
  check(): void {
    const now = performance.now()
    if (!this.#fault && now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now
      this.#fault = this.#look()
    }
    if (this.#fault) throw this.#fault
  }

  /** Size of its write-ahead log in bytes; 0 if there is none. */
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
      `a second SQLite library of this process has opened ${this.#path}: ${WHY}. Stop this process, check the file with "pragma integrity_check", and ${WAY_OUT}`,
    )
  }

  #gone(path: string): OutboxError {
    return new OutboxError(
      'storage_unsafe',
      `${path} was replaced or removed while it was open: new commits would be lost. Restart this process, and stop it before you replace its file`,
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

/** Creates the file readable only by its owner; SQLite creates its log likewise. An existing file is not changed. */
export function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch {
    // It exists, or cannot be created, which the driver reports better.
  }
}

/** Undefined if there is no such file. */
function identityOf(path: string): Identity | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })
}

function isSame(one: Identity, other: Identity | undefined): boolean {
  return one.dev === other?.dev && one.ino === other.ino
}
