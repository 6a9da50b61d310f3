import { type OutboxDatabase, rowsAs } from '../database.ts'
import { type Row, type SqlResult, type SqlText, type Statement, raw, sqlText, toTransactionSql } from '../statement.ts'
import type { Dialect } from '../dialect.ts'
import { OutboxError } from '../errors.ts'
import { utf8Bytes } from '../event.ts'
import { messageOf } from '../message-of.ts'
import { withKey } from '../record.ts'
import { sqliteDialect } from './dialect.ts'

/** The part of a D1 binding that is used. */
export interface D1Binding {
  prepare(sql: string): D1Statement
  batch(statements: D1Statement[]): Promise<D1StatementResult[]>
}

/** The part of a D1 prepared statement that is used. */
export interface D1Statement {
  bind(...params: unknown[]): D1Statement
  all(): Promise<D1StatementResult>
}

/** The part of a D1 result that is used. */
export interface D1StatementResult {
  results?: unknown[]
  meta: { changes?: number }
}

// D1 bills rows written, and a payload that is stored apart is two of them: it is shared by several rows, or stored
// in its row. A Worker's statements are counted and a statement has at most 100 parameters: all records are one, with
// one parameter.
const dialect: Dialect = {
  ...sqliteDialect,
  inlinesLong: true,
  isBilled: true,
  recordClaims(items, record) {
    const columns = Object.entries(withKey(record.columns))
    const field = (name: string): SqlText => raw(`item.value ->> ${columns.findIndex(([column]) => column === name)}`)
    const values = items.map((item) => columns.map(([, [, valueOf]]) => valueOf(item)))
    const insert = record.insert({
      from: sqlText`json_each(${JSON.stringify(values)}) as item cross join pending_events as claim
        where claim.id = ${field('claim_id')} and claim.gen = ${field('claim_gen')} and claim.status = 'pending'`,
      value: field,
      place: raw('item.key'),
    })
    return [insert]
  },
}

/**
 * Keepsend's view of a D1 binding (`env.DB`). A transaction is one `batch()`. Use the plain binding, or a session that
 * starts with `first-primary`: a replica's read may miss a row that was just committed.
 *
 * D1 retries reads by itself but never writes, so a write whose response is lost rejects with `commit_unconfirmed`.
 * Every write of Keepsend's can be repeated, because the caller makes its ids.
 */
export function fromD1(d1: D1Binding): OutboxDatabase {
  function prepare(statement: Statement): D1Statement {
    const { sql, params }: { sql: string; params: readonly unknown[] } = toTransactionSql(statement, 'sqlite')
    for (const param of params) checkSize(param, sql)
    // D1 refuses `undefined`, which any other driver takes for null.
    return d1.prepare(sql).bind(...params.map((param) => param ?? null))
  }

  async function one(statement: Statement): Promise<SqlResult> {
    try {
      return toResult(await prepare(statement).all())
    } catch (error) {
      throw asRefusal(error)
    }
  }

  return {
    dialect,
    run<R extends object>(statement: Statement) {
      return rowsAs<R>(one(statement))
    },
    async atomic(statements) {
      if (statements.length === 0) return []
      try {
        return (await d1.batch(statements.map(prepare))).map(toResult)
      } catch (error) {
        throw asRefusal(error)
      }
    },
  }
}

function toResult({ results = [], meta }: D1StatementResult): SqlResult {
  return { rows: results as Row[], changes: meta.changes ?? 0 }
}

// D1's limit for a string, BLOB or row, in bytes. Its local simulation does not enforce it, so a test would not
// notice.
const MAX_VALUE_BYTES = 2_000_000

function checkSize(param: unknown, sql: string): void {
  // A character is at most 3 bytes of UTF-8, so only a text that could be too long is counted.
  if (typeof param !== 'string' || param.length * 3 <= MAX_VALUE_BYTES) return
  const bytes = utf8Bytes(param)
  if (bytes <= MAX_VALUE_BYTES) return
  throw new OutboxError(
    'not_accepted',
    `D1 takes at most ${MAX_VALUE_BYTES} bytes in one value; found ${bytes} for ${sql.trim().slice(0, 40)}…: pass fewer at a time`,
  )
}

// Errors of D1 before a statement ran: its queue was full, the database is full, or the plan's daily limit is
// reached.
const NEVER_RAN =
  /overloaded|too many requests queued|exceeded (its|maximum|the)? ?(maximum )?db size|SQLITE_FULL|daily .* limit/i
// SQLite itself refused: the statement, and with it its batch, was rolled back.
const SQLITE_SAID_NO =
  /SQLITE_|constraint failed|syntax error|no such (table|column)|D1_TYPE_ERROR|too many (SQL variables|terms)/

/**
 * Maps a refusal to `not_accepted`, a lost response to `commit_unconfirmed`; a broken constraint stays the driver's
 * error.
 */
function asRefusal(error: unknown): unknown {
  if (error instanceof OutboxError) return error
  const message = messageOf(error)
  if (/no such table: (pending_events|keepsend_)/.test(message)) {
    return new OutboxError('not_migrated', `${message}: apply the migrations before anything else`, { cause: error })
  }
  if (NEVER_RAN.test(message)) {
    return new OutboxError('not_accepted', `not accepted, nothing was committed: ${message}`, { cause: error })
  }
  if (SQLITE_SAID_NO.test(message)) return error
  return new OutboxError('commit_unconfirmed', `D1 did not respond, the write may have been committed: ${message}`, {
    cause: error,
  })
}
