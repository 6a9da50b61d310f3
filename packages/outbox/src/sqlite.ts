export { type SqliteOptions, fromBetterSqlite } from './lib/sqlite/database.ts'
export type { SqliteConnection, SqliteStatement } from './lib/sqlite/group-commit.ts'
export { sqliteDialect } from './lib/sqlite/dialect.ts'
