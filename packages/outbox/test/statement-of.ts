import { type Dialect, type SqlText, rowsAs } from '../src/internal.ts'
import { type OutboxDatabase, type Statement, toSql } from '../src/index.ts'

/** The one statement that a verb runs, to check its plan. It is not executed: the verb gets an empty result. */
export async function statementOf(dialect: Dialect, verb: (db: OutboxDatabase) => Promise<unknown>): Promise<SqlText> {
  const asked: Statement[] = []
  await verb({
    dialect,
    run<R extends object>(statement: Statement) {
      asked.push(statement)
      return rowsAs<R>(Promise.resolve({ rows: [], changes: 0 }))
    },
    async atomic(statements) {
      asked.push(...statements)
      return statements.map(() => ({ rows: [], changes: 0 }))
    },
  })
  const [only, ...others] = asked
  if (only === undefined || others.length > 0) throw new Error(`expected one statement; found ${asked.length}`)
  return toSql(only, dialect.name)
}
