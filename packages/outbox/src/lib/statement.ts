// Not from `drizzle-orm`, which loads every builder of every database: 80 MB and a third of a second (measured).
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm/sql/sql'
import { CasingCache } from 'drizzle-orm/casing'
import { cutAtParameters, numberedText } from './sql/parameters.ts'
import { refuseTransactionControl } from './sql/transaction-control.ts'
import type { DialectName } from './sql/tokens.ts'

export type { DialectName } from './sql/tokens.ts'

/** A value that every driver can bind: SQLite has no booleans, D1 no `undefined`. */
export type SqlValue = string | number | null | Uint8Array

/**
 * A statement as text and parameters, in order: `?` for each, which every database here accepts, or Postgres' own `$1`,
 * `$2` … A `?` in a quoted text, a quoted name or a comment is not a parameter. Beside parameters that are written `?`,
 * write Postgres' operator `?` as `??`; `?|`, `?&` and `@?` need no escape, only space around them.
 */
export interface SqlText {
  sql: string
  params: readonly SqlValue[]
}

/**
 * An unexecuted statement of any origin: `{ sql, params }` in the database's own spelling, a drizzle query builder
 * (`orm.insert(t).values(v)`), or drizzle's `` sql`…` ``.
 */
export type Statement = SqlText | SQLWrapper

/** Builds a statement: a `SqlText` inside the braces is inserted with its parameters, any other value is bound. */
export function sqlText(strings: TemplateStringsArray, ...values: readonly (SqlValue | SqlText)[]): SqlText {
  const params: SqlValue[] = []
  const known = lastBuilt.get(strings)
  let isKnown = known !== undefined
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as SqlValue | SqlText
    const fragment = isSqlText(value)
    if (fragment) params.push(...value.params)
    else params.push(value)
    if (isKnown && known?.pieces[index] !== (fragment ? value.sql : '?')) isKnown = false
  }
  if (known && isKnown) return { sql: known.sql, params }
  const pieces = values.map((value) => (isSqlText(value) ? value.sql : '?'))
  const built = { pieces, sql: String.raw({ raw: strings }, ...pieces) }
  lastBuilt.set(strings, built)
  return { sql: built.sql, params }
}

// The text that each template in the code built last. Nearly always it builds the same text again, and the very same
// string object, which is hashed already, finds the prepared statement.
const lastBuilt = new WeakMap<TemplateStringsArray, { pieces: string[]; sql: string }>()

/**
 * Creates a statement whose text is built once, whatever its values.
 *
 * @param build receives a stand-in for each value, to be bound without a change, any number of times
 * @throws {Error} if it binds anything else, which would stay the same in every statement
 */
export function template(
  values: number,
  build: (standIns: readonly string[]) => SqlText,
): (values: readonly SqlValue[]) => SqlText {
  const standIns = Array.from({ length: values }, (_, index) => `stand-in ${index}`)
  const built = build(standIns)
  const places = built.params.map((param) => standIns.indexOf(String(param)))
  if (places.includes(-1)) throw new Error(`a template binds ${String(built.params[places.indexOf(-1)])}`)
  // Each entry of `places` is the index of a value.
  return (given) => ({ sql: built.sql, params: places.map((place) => given[place] as SqlValue) })
}

/** Text to insert into {@link sqlText} without a change. Never for text from outside. */
export function raw(text: string): SqlText {
  return { sql: text, params: [] }
}

/** Joins fragments. */
export function joined(fragments: readonly SqlText[], separator: string): SqlText {
  return {
    sql: fragments.map((fragment) => fragment.sql).join(separator),
    params: fragments.flatMap(({ params }) => params),
  }
}

/** A condition that holds when all of these hold. */
export function allOf(conditions: readonly SqlText[]): SqlText {
  return joined(conditions, ' and ')
}

/** The current time, ms since the epoch: the database's clock, or the caller's time. */
export function clock(now?: number): SqlText {
  return now === undefined ? CLOCK : { sql: 'cast(? as bigint)', params: [now] }
}

const CLOCK = raw('(select ms from keepsend_clock)')

/**
 * `limit n`. The cast matters: SQLite reads the value of a bare `limit ?` while it plans, and prepares the statement
 * again at every call, which made a claim of 16 two and a half times as slow (30 against 11 µs a row).
 */
export function limitTo(rows: number): SqlText {
  return { sql: 'limit cast(? as bigint)', params: [rows] }
}

/**
 * Converts a statement to drizzle's form, so that it runs inside the caller's drizzle transaction or `batch`.
 *
 * @param dialect the dialect of the text's quotes and operators; Keepsend's own texts are the same in both
 */
export function toDrizzle(statement: SqlText, dialect: DialectName = 'sqlite'): SQL {
  const { pieces, values } = cutAtParameters(statement.sql, dialect)
  const chunks = [sql.raw(pieces[0] ?? '')]
  for (const [index, value] of values.entries()) {
    chunks.push(sql`${statement.params[value]}`, sql.raw(pieces[index + 1] ?? ''))
  }
  return sql.join(chunks)
}

/**
 * Returns the text and parameters of any statement, for a driver of your own: better-sqlite3, pg, Kysely, Prisma.
 *
 * @throws {OutboxError} `invalid_statement` on Postgres, if a text has another number of parameters than values
 * @example
 * const { sql, params } = toSql(enqueueEventStatement(event), 'postgres')
 * await client.query(sql, params)
 */
export function toSql(statement: Statement, dialect: DialectName): SqlText {
  if (isSqlText(statement)) {
    const { sql: text, params } = statement
    return dialect === 'postgres' ? { sql: numberedText(text, params.length), params } : statement
  }
  // A query builder renders itself, with the casing of its drizzle handle. Only a bare `sql` is rendered here.
  const query = isBuilder(statement) ? statement.toSQL() : statement.getSQL().toQuery(RENDER[dialect])
  return { sql: query.sql, params: query.params as SqlValue[] }
}

/**
 * {@link toSql} for a statement that commits together with others.
 *
 * @throws {OutboxError} `invalid_statement` for one that begins or ends a transaction, or changes the connection
 */
export function toTransactionSql(statement: Statement, dialect: DialectName): SqlText {
  const text = toSql(statement, dialect)
  refuseTransactionControl(text.sql, dialect)
  return text
}

// The settings of drizzle's own dialects. Their modules take most of a second to load.
const rendering = {
  casing: new CasingCache(),
  escapeName: (name: string) => `"${name.replaceAll('"', '""')}"`,
  escapeString: (text: string) => `'${text.replaceAll("'", "''")}'`,
}
const RENDER = {
  sqlite: { ...rendering, escapeParam: () => '?' },
  postgres: { ...rendering, escapeParam: (index: number) => `$${index + 1}` },
}

function isBuilder(statement: SQLWrapper): statement is SQLWrapper & { toSQL(): { sql: string; params: unknown[] } } {
  return 'toSQL' in statement && typeof statement.toSQL === 'function'
}

function isSqlText(value: unknown): value is SqlText {
  return typeof value === 'object' && value !== null && typeof (value as Partial<SqlText>).sql === 'string'
}

/** A row as the driver returns it. */
export type Row = Record<string, unknown>

/** The result of one statement. `R` is the type that the author of the statement gives its rows. */
export interface SqlResult<R extends object = Row> {
  /** Rows of a `select` or a `returning`; empty for any other statement. */
  rows: R[]
  /** Rows inserted, updated or deleted; 0 for a `select`. */
  changes: number
}
