import { createRequire } from 'node:module'
import type { OutboxDatabase } from '@keepsend/outbox'
import {
  type NodeSqliteConnection,
  type NodeSqliteStatement,
  type SqliteConnection,
  type SqliteOptions,
  type SqliteStatement,
  fromBetterSqlite,
  fromNodeSqlite,
} from '@keepsend/outbox/sqlite'
import { AdapterError } from './errors.ts'

/** By whose library a file is opened. */
export type SqliteDriver = 'better-sqlite3' | 'node:sqlite'

/**
 * The part of better-sqlite3's `Database` that is used here. Its own types are named nowhere, so that who keeps rows in
 * Postgres need not install them.
 */
export interface SqliteHandle extends SqliteConnection {
  readonly open: boolean
  prepare(sql: string): SqliteHandleStatement
  exec(sql: string): unknown
  pragma(text: string, options?: { simple?: boolean | undefined }): unknown
  close(): unknown
}

/** The part of better-sqlite3's `Statement` that is used here. */
export interface SqliteHandleStatement extends SqliteStatement {
  get(...params: unknown[]): unknown
  pluck(): this
}

/** The part of node:sqlite's `DatabaseSync` that is used here. */
export interface NodeSqliteHandle extends NodeSqliteConnection {
  prepare(sql: string): NodeSqliteHandleStatement
  close(): void
}

/** The part of node:sqlite's `StatementSync` that is used here. */
export interface NodeSqliteHandleStatement extends NodeSqliteStatement {
  get(...params: (string | number | null | Uint8Array)[]): unknown
}

/** A handle, and Keepsend's view of it. */
export interface OpenedFile {
  connection: SqliteHandle | NodeSqliteHandle
  view: (options: SqliteOptions) => OutboxDatabase
}

/** Opens a file. The drivers are loaded here and not before: whoever keeps rows elsewhere need not have them. */
export const SQLITE_DRIVERS: Readonly<Record<SqliteDriver, (file: string) => OpenedFile>> = {
  'better-sqlite3': (file) => {
    type Database = new (file: string, options: { timeout: number }) => SqliteHandle
    const connection = new (createRequire(import.meta.url)('better-sqlite3') as Database)(file, { timeout: 0 })
    return { connection, view: (options) => fromBetterSqlite(connection, options) }
  },
  'node:sqlite': (file) => {
    type Module = { DatabaseSync: new (file: string) => NodeSqliteHandle }
    const builtIn = process.getBuiltinModule('node:sqlite') as Module | undefined
    if (!builtIn) {
      throw new AdapterError('invalid_option', `driver node:sqlite needs Node 22.13 or later; found ${process.version}`)
    }
    const connection = new builtIn.DatabaseSync(file)
    return { connection, view: (options) => fromNodeSqlite(connection, options) }
  },
}

/** The one value of a statement's first row, by either driver. */
export function valueOf(connection: SqliteHandle | NodeSqliteHandle, sql: string): unknown {
  return Object.values(connection.prepare(sql).get() as object)[0]
}
