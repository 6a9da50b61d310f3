// Not from `drizzle-orm`, which brings every builder of every database: 80 MB and a third of a second (measured).
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm/sql/sql'
import { CasingCache } from 'drizzle-orm/casing'
import { cutAtParameters, numberedText } from './sql/parameters.ts'
import { refuseTransactionControl } from './sql/transaction-control.ts'
import type { DialectName } from './sql/tokens.ts'

export type { DialectName } from './sql/tokens.ts'

/** What a driver can bind everywhere: SQLite knows no booleans, D1 no `undefined`. */
export type SqlValue = string | number | null | Uint8Array

/**
 * A statement as text and parameters, in order: `?` for each, which every database here takes, or Postgres' own `$1`,
 * `$2` … A `?` in a quoted text, a quoted name or a comment is none. Beside parameters that are written `?`, the operator `?`
 * of Postgres is written `??`; `?|`, `?&` and `@?` stand as they are, with space around them.
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

/** Builds a statement: a `SqlText` inside the braces is spliced in with its parameters, any other value is bound. */
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

// The text that a place in the code built last. Nearly always it builds the same again, and then the very same string,
// hashed already, finds the prepared statement.
const lastBuilt = new WeakMap<TemplateStringsArray, { pieces: string[]; sql: string }>()

/**
 * A statement whose text is made once, whatever its values.
 *
 * @param build is given a stand-in for each value, to be bound as it is, any number of times
 * @throws {Error} where it binds anything else: that would stay the same in every statement
 */
export function template(
  values: number,
  build: (standIns: readonly string[]) => SqlText,
): (values: readonly SqlValue[]) => SqlText {
  const standIns = Array.from({ length: values }, (_, index) => `stand-in ${index}`)
  const built = build(standIns)
  const places = built.params.map((param) => standIns.indexOf(String(param)))
  if (places.includes(-1)) throw new Error(`a template binds ${String(built.params[places.indexOf(-1)])}`)
  // A place is that of a value.
  return (given) => ({ sql: built.sql, params: places.map((place) => given[place] as SqlValue) })
}

/** Text to splice into {@link sqlText} as it is. Never for anything that came from outside. */
export function raw(text: string): SqlText {
  return { sql: text, params: [] }
}

/** Fragments one after the other. */
export function joined(fragments: readonly SqlText[], separator: string): SqlText {
  return {
    sql: fragments.map((fragment) => fragment.sql).join(separator),
    params: fragments.flatMap(({ params }) => params),
  }
}

/** A condition of several, all of which must hold. */
export function allOf(conditions: readonly SqlText[]): SqlText {
  return joined(conditions, ' and ')
}

/** The database's own clock, unless the caller brings a time: milliseconds since the epoch. */
export function clock(now?: number): SqlText {
  return now === undefined ? CLOCK : { sql: 'cast(? as bigint)', params: [now] }
}

const CLOCK = raw('(select ms from keepsend_clock)')

/**
 * `limit n`. The cast matters: SQLite looks at the value of a bare `limit ?` while it plans, and prepares the statement
 * anew at every call, which made a claim of 16 two and a half times as slow (30 against 11 µs a row).
 */
export function limitTo(rows: number): SqlText {
  return { sql: 'limit cast(? as bigint)', params: [rows] }
}

/**
 * A statement in drizzle's form, so that it runs inside the caller's drizzle transaction or `batch`.
 *
 * @param dialect whose quotes and operators the text has; one of ours has none that differ
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
 * The text and parameters of any statement, for a driver of your own: better-sqlite3, pg, Kysely, Prisma.
 *
 * @throws {OutboxError} `invalid_statement` on Postgres, where a text has another number of parameters than values
 * @example
 * const { sql, params } = toSql(enqueueEventStatement(event), 'postgres')
 * await client.query(sql, params)
 */
export function toSql(statement: Statement, dialect: DialectName): SqlText {
  if (isSqlText(statement)) {
    const { sql: text, params } = statement
    return dialect === 'postgres' ? { sql: numberedText(text, params.length), params } : statement
  }
  // A query builder renders itself, with the casing that its drizzle handle was given. Only a bare `sql` needs us.
  const query = isBuilder(statement) ? statement.toSQL() : statement.getSQL().toQuery(RENDER[dialect])
  return { sql: query.sql, params: query.params as SqlValue[] }
}

/**
 * {@link toSql}, for what is to commit together with other statements.
 *
 * @throws {OutboxError} `invalid_statement` for one that begins or ends a transaction, or changes the connection
 */
export function toTransactionSql(statement: Statement, dialect: DialectName): SqlText {
  const text = toSql(statement, dialect)
  refuseTransactionControl(text.sql, dialect)
  return text
}

// How drizzle's own dialects render. Those stand in modules that take most of a second to load.
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

/** A row as the driver gives it. */
export type Row = Record<string, unknown>

/** What one statement did. `R` is what the author of the statement says of its rows. */
export interface SqlResult<R extends object = Row> {
  /** Rows of a `select` or a `returning`; empty for any other statement. */
  rows: R[]
  /** Rows inserted, updated or deleted; 0 for a `select`. */
  changes: number
}
