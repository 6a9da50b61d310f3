export { fromPostgres } from './lib/postgres/database.ts'
export type {
  PgClient,
  PgPool,
  PgQuery,
  PgResult,
  PostgresClient,
  PostgresJsResult,
  PostgresJsSql,
  PostgresJsTransaction,
  PostgresJsTransform,
} from './lib/postgres/drivers.ts'
export { postgresDialect } from './lib/postgres/dialect.ts'
