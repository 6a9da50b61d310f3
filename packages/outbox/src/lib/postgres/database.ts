import { type OutboxDatabase, rowsAs } from '../database.ts'
import { type SqlResult, type Statement, toTransactionSql } from '../statement.ts'
import { type PostgresClient, driverOf } from './drivers.ts'
import { postgresDialect } from './dialect.ts'

/**
 * Keepsend's view of a Postgres that the caller connects to: a `pg` pool, a `postgres.js` handle, or a drizzle handle
 * over either. Tables are looked for where the connection's `search_path` leads. Of a pool of n connections, n units
 * run at once; the others wait for their turn.
 *
 * Nothing is prepared under a name: each statement is planned for the table as it is now, which in a queue changes by
 * the minute, and a pooler that hands connections from one transaction to the next (PgBouncer) does no harm.
 *
 * What the host has set on its driver stays out of these statements: type parsers, binary answers, column and value
 * transforms, serializers. Each parameter goes out as text, which the server reads as it reads a literal in quotes; of an answer,
 * integers and floats are numbers, booleans are booleans, JSON is parsed, and anything else is the server's text.
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
      // A statement is a transaction of its own: no need of begin and commit, which are two journeys more.
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
