export { type CommitSignals, DurableEventQueue, type DurableEventQueueOptions } from './lib/durable-event-queue.ts'
export { AdapterError, type AdapterErrorCode } from './lib/errors.ts'
export type { HttpOptions } from './lib/http-server.ts'
export { type MigrateOptions, migrate } from './lib/migrate.ts'
export {
  type OpenPostgresOptions,
  type PostgresDatabase,
  type PostgresPool,
  openPostgres,
} from './lib/open-postgres.ts'
export { type OpenSqliteOptions, type SqliteDatabase, openSqlite } from './lib/open.ts'
export { type UndiciSender, createUndiciSender } from './lib/send.ts'
export type { SenderTls, UndiciSenderOptions } from './lib/sender-options.ts'
export {
  type NodeServer,
  type NodeServerOptions,
  type NodeServerParts,
  type NodeSqliteServerOptions,
  type PostgresServerOptions,
  createNodeServer,
} from './lib/server.ts'
export { onSignals } from './lib/shutdown.ts'
export { createNodeSigner } from './lib/sign.ts'
export type {
  NodeSqliteHandle,
  NodeSqliteHandleStatement,
  SqliteDriver,
  SqliteHandle,
  SqliteHandleStatement,
} from './lib/sqlite-drivers.ts'
