export { fromPostgres } from './lib/postgres/database.ts'
export type {
  PgClient,
  PgPool,
  PgResult,
  PostgresClient,
  PostgresJsResult,
  PostgresJsSql,
  PostgresJsTransaction,
} from './lib/postgres/drivers.ts'
export { postgresDialect } from './lib/postgres/dialect.ts'
