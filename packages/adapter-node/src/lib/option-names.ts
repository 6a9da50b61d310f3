import { ENGINE_OPTION_NAMES, type EngineOptions } from '@keepsend/engine'
import type { OptionNames } from '@keepsend/outbox'
import type { DurableEventQueue, DurableEventQueueOptions } from './durable-event-queue.ts'
import { checkNames } from './errors.ts'
import type { HttpOptions } from './http-server.ts'
import type { MigrateOptions } from './migrate.ts'
import type { OpenPostgresOptions } from './open-postgres.ts'
import type { OpenSqliteOptions } from './open.ts'
import type { SenderTls, UndiciSenderOptions } from './sender-options.ts'
import type { NodeServer, NodeServerOptions, PostgresServerOptions } from './server.ts'
import type { createNodeSigner } from './sign.ts'

const queue = {
  concurrency: true,
  slotsPerWorkspace: true,
  slotsPerEndpoint: true,
  slotsPerHost: true,
  settleBatch: true,
  leaseMs: true,
  pollMs: true,
  upkeepMs: true,
} satisfies OptionNames<Omit<DurableEventQueueOptions, 'db'>>

const sender = {
  connectTimeoutMs: true,
  keepAliveMs: true,
  connectionLifeMs: true,
  dnsServers: true,
  egressProxy: true,
  verifyCertificates: true,
  tls: { ca: true, cert: true, key: true } satisfies OptionNames<SenderTls>,
} satisfies OptionNames<Omit<UndiciSenderOptions, 'urlPolicy'>>

const http = {
  maxConnections: true,
  requestTimeoutMs: true,
  idleTimeoutMs: true,
  maxHeaderBytes: true,
  maxPipelined: true,
} satisfies OptionNames<HttpOptions>

const sqlite = {
  driver: true,
  synchronous: true,
  busyTimeoutMs: true,
} satisfies OptionNames<OpenSqliteOptions>

const postgres = {
  url: true,
  max: true,
  statementTimeoutMs: true,
  lockTimeoutMs: true,
  connectTimeoutMs: true,
  listen: true,
  logger: true,
} satisfies OptionNames<OpenPostgresOptions>

// The server brings these three.
const { db: _db, queue: _queue, secrets: _secrets, ...engine } = ENGINE_OPTION_NAMES
engine satisfies OptionNames<Omit<EngineOptions, 'db' | 'queue' | 'secrets'>>

const stop = { drainMs: true } satisfies OptionNames<Parameters<DurableEventQueue['stop']>[0]> &
  OptionNames<Parameters<NodeServer['stop']>[0]>

/**
 * Every option of this package, by the function. The compiler keeps each list whole, the functions refuse what is not in
 * it, and the test "every option given as undefined is its default" goes through it.
 */
export const OPTION_NAMES = {
  DurableEventQueue: { db: true, ...queue } satisfies OptionNames<DurableEventQueueOptions>,
  'queue.stop': stop,
  createNodeServer: {
    file: true,
    sqlite,
    port: true,
    hostname: true,
    http,
    app: true,
    migrations: true,
    secrets: true,
    engine,
    queue,
    sender,
    postgres,
    signals: true,
  } satisfies OptionNames<NodeServerOptions | PostgresServerOptions>,
  'server.stop': stop,
  createNodeSigner: { maxKeys: true } satisfies OptionNames<Parameters<typeof createNodeSigner>[0]>,
  createUndiciSender: {
    urlPolicy: ENGINE_OPTION_NAMES.urlPolicy,
    ...sender,
  } satisfies OptionNames<UndiciSenderOptions>,
  migrate: { directory: true } satisfies OptionNames<MigrateOptions>,
  openPostgres: postgres,
  openSqlite: sqlite,
}

/** @throws {AdapterError} `invalid_option` for an option that the function does not have */
export function checkOptions(owner: keyof typeof OPTION_NAMES, options: object): void {
  checkNames(owner, OPTION_NAMES[owner], options)
}
