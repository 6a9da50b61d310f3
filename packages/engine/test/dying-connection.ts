import type { SqliteConnection } from '@keepsend/outbox/sqlite'
import type Database from 'better-sqlite3'

/** A connection that runs each statement by `step`, which may kill the process before it. */
export function dyingConnection(
  connection: Database.Database,
  step: <Result>(run: () => Result) => Result,
): SqliteConnection {
  return {
    get inTransaction() {
      return connection.inTransaction
    },
    prepare(sql) {
      const statement = connection.prepare(sql)
      const { reader, readonly } = statement
      return {
        reader,
        readonly,
        all: (...params) => step(() => statement.all(...params)),
        run: (...params) => step(() => statement.run(...params)),
      }
    },
  }
}
