export { type CommitSignals, DurableEventQueue, type DurableEventQueueOptions } from './lib/durable-event-queue.ts'
export { NodeAdapterError, type NodeAdapterErrorCode } from './lib/errors.ts'
export type { HttpOptions } from './lib/http-server.ts'
export { type MigrateOptions, migrate } from './lib/database/migrate.ts'
export {
  type OpenPostgresOptions,
  type PostgresDatabase,
  type PostgresPool,
  openPostgres,
} from './lib/database/open-postgres.ts'
export { type OpenSqliteOptions, type SqliteDatabase, openSqlite } from './lib/database/open-sqlite.ts'
export { type UndiciSender, createUndiciSender } from './lib/http/undici-sender.ts'
export type { SenderTls, UndiciSenderOptions } from './lib/http/sender-options.ts'
export {
  type NodeServer,
  type NodeServerOptions,
  type NodeServerParts,
  type NodeSqliteServerOptions,
  type PostgresServerOptions,
  createNodeServer,
} from './lib/server.ts'
export { onSignals } from './lib/shutdown.ts'
export { createNodeSigner } from './lib/node-signer.ts'
export type {
  NodeSqliteHandle,
  NodeSqliteHandleStatement,
  SqliteDriver,
  SqliteHandle,
  SqliteHandleStatement,
} from './lib/database/sqlite-drivers.ts'
