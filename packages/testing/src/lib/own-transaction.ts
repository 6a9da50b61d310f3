import type { OutboxDatabase, SqlResult, Statement } from '@keepsend/outbox'
import { raw, rowsAs } from '@keepsend/outbox/internal'
import {
  type PgClient,
  type PgQuery,
  type PgResult,
  type PostgresJsSql,
  type PostgresJsTransaction,
  fromPostgres,
} from '@keepsend/outbox/postgres'
import {
  type NodeSqliteConnection,
  type SqliteConnection,
  fromBetterSqlite,
  fromNodeSqlite,
} from '@keepsend/outbox/sqlite'
import { TestingError } from './errors.ts'

/** The part of a `pg` client that is used. */
export interface PgTransaction {
  query(query: PgQuery): Promise<PgResult>
  binary?: boolean | undefined
}

/** The part of a `postgres.js` transaction that is used: the `sql` that `begin` passes to its function. */
export interface PostgresJsOwnTransaction extends PostgresJsTransaction {
  readonly options?: PostgresJsSql['options']
  savepoint(work: (sql: PostgresJsTransaction) => Promise<unknown>): Promise<unknown>
}

type Connection = SqliteConnection | NodeSqliteConnection | PgTransaction | PostgresJsOwnTransaction

/**
 * A connection on which the test has begun a transaction: of better-sqlite3, `node:sqlite`, `pg` (a client, not a pool) or
 * `postgres.js`, or a drizzle handle over one of the first three.
 */
export type OwnTransaction = Connection | { readonly $client: Connection }

/**
 * Keepsend's database inside a transaction that the caller has begun, and that only the caller ends. Each transaction of
 * Keepsend's is a savepoint in it: an error undoes that one alone, and leaves the caller's usable.
 *
 * @throws {TestingError} `invalid_option` for anything else
 */
export function inTransaction(given: OwnTransaction): OutboxDatabase {
  const connection = '$client' in given ? given.$client : given
  // First: that of postgres.js has a `prepare` too.
  if ('savepoint' in connection) return inTurn(fromPostgres(likeHandle(connection)))
  if ('prepare' in connection) return 'inTransaction' in connection ? inSqlite(connection) : inNodeSqlite(connection)
  if ('query' in connection && !('totalCount' in connection)) return inTurn(fromPostgres(likePool(connection)))
  throw new TestingError(
    'invalid_option',
    'db must be a database of Keepsend (openSqlite, openPostgres, fromPostgres(pool)), or a connection with an open transaction: of better-sqlite3, node:sqlite, a pg client, or the sql that begin of postgres.js passes; found something else, or a pool',
  )
}

// The statements with which the outbox's databases begin and end a transaction. A rollback leaves the savepoint, which the
// next one of the same name covers, and the end of the caller's transaction removes.
const AS_SAVEPOINT: Readonly<Record<string, string>> = {
  'begin immediate': 'savepoint keepsend_test',
  'begin isolation level read committed': 'savepoint keepsend_test',
  commit: 'release savepoint keepsend_test',
  rollback: 'rollback to savepoint keepsend_test',
}

function inSqlite(connection: SqliteConnection): OutboxDatabase {
  const within: SqliteConnection = {
    get inTransaction() {
      return connection.inTransaction
    },
    prepare: (sql) => connection.prepare(AS_SAVEPOINT[sql] ?? sql),
  }
  return fromBetterSqlite(within, { check: () => checkOpen(connection.inTransaction) })
}

function inNodeSqlite(connection: NodeSqliteConnection): OutboxDatabase {
  const within: NodeSqliteConnection = {
    isTransaction: true,
    prepare: (sql) => connection.prepare(AS_SAVEPOINT[sql] ?? sql),
    exec: (sql) => connection.exec(sql),
  }
  return fromNodeSqlite(within, { check: () => checkOpen(connection.isTransaction ?? true) })
}

function checkOpen(isOpen: boolean): void {
  if (isOpen) return
  throw new TestingError(
    'no_transaction',
    'db is a connection without an open transaction: begin one before the first call of the engine, and end it after the last; or pass openSqlite(file)',
  )
}

function likePool(client: PgTransaction) {
  const within: PgClient = {
    query: (query) => client.query({ ...query, text: AS_SAVEPOINT[query.text] ?? query.text }),
    get binary() {
      return client.binary
    },
    set binary(isBinary) {
      client.binary = isBinary
    },
    release() {},
    on() {},
    off() {},
  }
  return { connect: () => Promise.resolve(within), on() {} }
}

function likeHandle(sql: PostgresJsOwnTransaction): PostgresJsSql {
  return {
    options: sql.options,
    unsafe: (text, params) => sql.unsafe(text, params),
    typed: (value, type) => sql.typed(value, type),
    begin: (_isolation, work) => sql.savepoint(work),
  }
}

/**
 * One savepoint at a time: those of two callers on one connection would nest. A single statement gets a second one, so that it
 * has a savepoint too: an error outside of one aborts the caller's transaction.
 */
function inTurn(db: OutboxDatabase): OutboxDatabase {
  let last: Promise<unknown> = Promise.resolve()
  const atomic = (statements: readonly Statement[]): Promise<SqlResult[]> => {
    const done = last.then(() => db.atomic(statements.length === 0 ? [] : [...statements, NOTHING]))
    // The caller gets the error.
    last = done.catch(() => undefined)
    return done.then((results) => results.slice(0, statements.length))
  }
  return {
    dialect: db.dialect,
    run: <R extends object>(statement: Statement) =>
      rowsAs<R>(atomic([statement]).then(([result = NO_RESULT]) => result)),
    atomic,
  }
}

const NOTHING = raw('select 1')
const NO_RESULT: SqlResult = { rows: [], changes: 0 }
