import { type OutboxDatabase, rowsAs } from '../database.ts'
import { type SqlResult, type Statement, toTransactionSql } from '../statement.ts'
import { type PostgresClient, driverOf } from './drivers.ts'
import { postgresDialect } from './dialect.ts'

/**
 * Keepsend's view of a Postgres database: a `pg` pool, a `postgres.js` handle, or a drizzle handle over either. Tables
 * are found through the connection's `search_path`. With a pool of n connections, n transactions run concurrently;
 * others wait for a connection.
 *
 * Uses no named prepared statements: a plan cached while the queue is empty is wrong when it is full. For the same
 * reason a pooler that assigns connections per transaction (PgBouncer) is safe.
 *
 * The host's driver settings do not apply to these statements: type parsers, binary results, column and value
 * transforms, serializers. Each parameter is sent as text, which the server reads like a literal in quotes. In results,
 * integers and floats are numbers, booleans are booleans, JSON is parsed, and any other type is the server's text.
 *
 * @throws {OutboxError} `invalid_option` for a `postgres.js` handle with `transform.row.from`
 * @example
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
 * pool.on('error', (error) => console.warn(error.message)) // an idle connection that broke; the pool opens another
 * const db = fromPostgres(pool)
 */
export function fromPostgres(client: PostgresClient): OutboxDatabase {
  const driver = driverOf(client)

  async function run(statement: Statement): Promise<SqlResult> {
    const { sql, params } = toTransactionSql(statement, 'postgres')
    return driver.query(sql, params)
  }

  return {
    dialect: postgresDialect,
    run<R extends object>(statement: Statement) {
      return rowsAs<R>(run(statement))
    },
    async atomic(statements) {
      const [first] = statements
      if (!first) return []
      // A single statement is a transaction of its own: without begin and commit, it saves two round trips.
      if (statements.length === 1) return [await run(first)]
      const texts = statements.map((statement) => toTransactionSql(statement, 'postgres'))
      return driver.transaction(async (query) => {
        const results: SqlResult[] = []
        for (const { sql, params } of texts) results.push(await query(sql, params))
        return results
      })
    },
  }
}
