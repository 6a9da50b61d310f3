import { createRequire } from 'node:module'
import { resolve } from 'node:path'
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
import { NodeAdapterError } from '../errors.ts'

/** The library that opens the file. */
export type SqliteDriver = 'better-sqlite3' | 'node:sqlite'

/**
 * The part of better-sqlite3's `Database` that is used here. Its own types are not referenced, so that users of Postgres
 * need not install them.
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

/** A driver's handle, and Keepsend's database on it. */
export interface OpenedFile {
  connection: SqliteHandle | NodeSqliteHandle
  view: (options: SqliteOptions) => OutboxDatabase
}

/** Opens a file. A driver is loaded when it is first used, so that only users of it need to install it. */
export const SQLITE_DRIVERS: Readonly<Record<SqliteDriver, (file: string) => OpenedFile>> = {
  'better-sqlite3': (file) => {
    type Database = new (file: string, options: { timeout: number }) => SqliteHandle
    const connection = new (requireDriver() as Database)(file, { timeout: 0 })
    return { connection, view: (options) => fromBetterSqlite(connection, options) }
  },
  'node:sqlite': (file) => {
    type Module = { DatabaseSync: new (file: string) => NodeSqliteHandle }
    const builtIn = process.getBuiltinModule('node:sqlite') as Module | undefined
    if (!builtIn) {
      throw new NodeAdapterError(
        'invalid_option',
        `driver node:sqlite needs Node 22.13 or later; found ${process.version}`,
      )
    }
    const connection = new builtIn.DatabaseSync(file)
    return { connection, view: (options) => fromNodeSqlite(connection, options) }
  },
}

// better-sqlite3 is compiled for this version of Node-API since its version 13. On a Node older than 22.14, which lacks it,
// the process crashes with a segmentation fault.
const ADDON = { since: 13, napi: 10 } as const

function requireDriver(): unknown {
  const { require, manifest } = locateDriver()
  const { version } = require(manifest) as { version: string }
  if (Number.parseInt(version) >= ADDON.since && Number(process.versions['napi']) < ADDON.napi) {
    throw new NodeAdapterError(
      'unsupported_runtime',
      `better-sqlite3 ${version} needs Node 22.14 or later, and would crash ${process.version}: update Node, or use another driver: better-sqlite3 12, or { driver: 'node:sqlite' } from Node 22.13 on`,
    )
  }
  return require('better-sqlite3')
}

/**
 * Finds better-sqlite3 beside this module, or beside the app. A bundler may have moved this module elsewhere, and left
 * `import.meta` empty in CommonJS.
 *
 * @throws {NodeAdapterError} `invalid_option` when it is not installed
 */
export function locateDriver(): { require: NodeJS.Require; manifest: string } {
  const own: string | undefined = import.meta.url
  const places = [own, typeof __filename === 'string' ? __filename : undefined, resolve('app.js')]
  let cause: unknown
  for (const place of places) {
    if (place === undefined) continue
    const require = createRequire(place)
    try {
      return { require, manifest: require.resolve('better-sqlite3/package.json') }
    } catch (error) {
      cause ??= error
    }
  }
  throw new NodeAdapterError(
    'invalid_option',
    "better-sqlite3 is not installed: install it, or use { driver: 'node:sqlite' }",
    { cause },
  )
}

/** The single value of a statement's first row, with either driver. */
export function valueOf(connection: SqliteHandle | NodeSqliteHandle, sql: string): unknown {
  return Object.values(connection.prepare(sql).get() as object)[0]
}
