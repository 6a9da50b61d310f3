import type { SqlResult } from '../statement.ts'
import { OutboxError } from '../errors.ts'
import { type Phase, asRefusal, isLost, isUseless } from './errors.ts'
import { type AnsweredColumn, UNKNOWN_TYPE, type WrittenValue, parameterText, restorerOf, resultOf } from './values.ts'

/** The part of `pg`'s `Pool` that is used. */
export interface PgPool {
  connect(): Promise<PgClient>
  on(event: 'connect', listener: (client: PgClient) => void): unknown
}

/** The part of `pg`'s pooled client that is used. */
export interface PgClient {
  query(query: PgQuery): Promise<PgResult>
  binary?: boolean | undefined
  /** With `true` the connection is closed, not returned to the pool. */
  release(destroy?: boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

/** A query for `pg`: rows as lists, with parsers of our own, whatever the host has set. */
export interface PgQuery {
  text: string
  values: unknown[]
  rowMode: 'array'
  types: { getTypeParser(): (value: string) => unknown }
}

/** The part of `pg`'s `Result` that is used. */
export interface PgResult {
  rows: (WrittenValue | null)[][]
  rowCount: number | null
  command: string
  fields: { name: string; dataTypeID: number }[]
}

/** The part of a `postgres.js` handle that is used: a function with these properties. */
export interface PostgresJsSql extends PostgresJsTransaction {
  readonly options?: { readonly transform?: PostgresJsTransform | undefined } | undefined
  begin(options: string, work: (sql: PostgresJsTransaction) => Promise<unknown>): Promise<unknown>
}

/** The part of a `postgres.js` transaction that is used. */
export interface PostgresJsTransaction {
  unsafe(text: string, params?: unknown[]): { raw(): PromiseLike<PostgresJsResult> }
  typed(value: string | null, type: number): unknown
}

/** The settings of `postgres.js` that change every result. */
export interface PostgresJsTransform {
  column?: { from?: ((name: string) => string) | undefined } | undefined
  row?: { from?: ((row: never) => unknown) | undefined } | undefined
}

/** The part of `postgres.js`' raw result that is used: bytes, before any parser. */
export type PostgresJsResult = Iterable<(WrittenValue | null)[]> & {
  count: number | null
  command: string
  columns?: { name: string; type: number }[] | null
}

/** A `pg` pool, a `postgres.js` handle, or a drizzle handle over either. */
export type PostgresClient = PgPool | PostgresJsSql | { readonly $client: PgPool | PostgresJsSql }

type Query = (text: string, params: readonly unknown[]) => Promise<SqlResult>

/**
 * The common part of the two drivers, which is all that the database needs. Errors are mapped to {@link OutboxError}.
 */
export interface Driver {
  /** Runs one statement in a transaction of its own. */
  query: Query
  /** Runs statement after statement in one transaction, which commits after the last. */
  transaction(work: (query: Query) => Promise<SqlResult[]>): Promise<SqlResult[]>
}

// Set explicitly, whatever the server's default: each statement of a transaction must see what was committed before
// it, and must look again at a row that was changed meanwhile, not fail.
const ISOLATION = 'isolation level read committed'

export function driverOf(client: PostgresClient): Driver {
  const own = '$client' in client ? client.$client : client
  if ('unsafe' in own && typeof own.unsafe === 'function') return postgresJs(own)
  if ('connect' in own && typeof own.connect === 'function') return nodePostgres(own)
  throw new OutboxError(
    'invalid_option',
    'fromPostgres takes a pg Pool, a postgres.js handle, or a drizzle handle over either',
  )
}

// A host may open a pool's database for each request, and a listener stays as long as its pool.
const listened = new WeakSet<PgPool>()

function nodePostgres(pool: PgPool): Driver {
  // From the connection's first event on: "ready" and the end of the connection can arrive in one packet, before
  // `connect()` below has resolved, and an error event without a listener ends the process.
  if (!listened.has(pool)) pool.on('connect', (client) => client.on('error', ignore))
  listened.add(pool)

  async function connected<Result>(
    work: (query: Query, reached: (phase: Phase) => void) => Promise<Result>,
  ): Promise<Result> {
    const client = await pool.connect().catch((error: unknown) => {
      throw asRefusal(error, 'connecting')
    })
    // A connection that breaks reports it twice: to the pending query, and as an error event that needs a listener.
    // This is for a connection that the pool made before `fromPostgres` was called.
    client.on('error', ignore)
    // Restored below for a host that wants binary results.
    const { binary } = client
    client.binary = false
    let phase: Phase = 'committing'
    let useless = false
    try {
      return await work(
        async (text, params) => {
          const values = params.map(parameterText)
          const { rows, command, rowCount, fields } = await client.query({
            text,
            values,
            rowMode: 'array',
            types: AS_TEXT,
          })
          const columns = fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }))
          return resultOf({ columns, rows, command, count: rowCount })
        },
        (reached) => {
          phase = reached
        },
      )
    } catch (error) {
      useless = isUseless(error)
      throw asRefusal(error, phase)
    } finally {
      client.off('error', ignore)
      client.binary = binary
      client.release(useless)
    }
  }

  return {
    query: (text, params) => connected((query) => query(text, params)),
    transaction: (work) =>
      connected(async (query, reached) => {
        reached('open')
        try {
          await query(`begin ${ISOLATION}`, [])
          const results = await work(query)
          reached('committing')
          await query('commit', [])
          return results
        } catch (error) {
          // After a failed commit it finds no transaction, which is harmless. A lost connection rolls back when it
          // closes.
          if (!isLost(error)) await query('rollback', [])
          throw error
        }
      }),
  }
}

function ignore(): void {}

const AS_TEXT = { getTypeParser: () => (value: string) => value }

function postgresJs(sql: PostgresJsSql): Driver {
  const { column, row } = sql.options?.transform ?? {}
  if (row?.from) {
    throw new OutboxError(
      'invalid_option',
      'fromPostgres takes a postgres.js handle without transform.row.from, which changes every result; found one: open a separate handle without it',
    )
  }
  const restore = column?.from ? restorerOf(column.from) : (_: string, columns: readonly AnsweredColumn[]) => columns
  const queryOn =
    (one: PostgresJsTransaction): Query =>
    async (text, params) => {
      const values = params.map((param) => one.typed(parameterText(param), UNKNOWN_TYPE))
      const answer = await one.unsafe(text, values).raw()
      const columns = restore(text, answer.columns ?? [])
      return resultOf({ columns, rows: answer, command: answer.command, count: answer.count })
    }
  return {
    query: (text, params) =>
      queryOn(sql)(text, params).catch((error: unknown) => {
        throw asRefusal(error, 'committing')
      }),
    async transaction(work) {
      let phase: Phase = 'connecting'
      try {
        const results = await sql.begin(ISOLATION, async (transaction) => {
          phase = 'open'
          const done = await work(queryOn(transaction)).catch(unlessLost)
          phase = 'committing'
          return done
        })
        return results as SqlResult[]
      } catch (error) {
        throw asRefusal(error, phase)
      }
    },
  }
}

// After a failed statement postgres.js sends a rollback. If the statement failed because the connection is gone,
// that ends the process (3.4.9: a write to a null socket) or reaches another transaction on the connection that came
// after. So this promise then never settles, and the closing of the connection ends the transaction, as it does on the
// server.
function unlessLost(error: unknown): Promise<never> {
  if (isLost(error)) return new Promise(() => {})
  throw error
}
