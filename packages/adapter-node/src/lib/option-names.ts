import { ENGINE_OPTION_NAMES, type EngineOptions } from '@keepsend/engine'
import { OR, type OptionNames } from '@keepsend/outbox'
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
  concurrency: 'number',
  slotsPerWorkspace: 'number',
  slotsPerEndpoint: 'number',
  slotsPerHost: 'number',
  settleBatch: 'number',
  leaseMs: 'number',
  pollMs: 'number',
  upkeepMs: 'number',
} satisfies OptionNames<Omit<DurableEventQueueOptions, 'db'>>

const sender = {
  connectTimeoutMs: 'number',
  keepAliveMs: 'number',
  connectionLifeMs: 'number',
  dnsServers: 'texts',
  egressProxy: 'text',
  verifyCertificates: 'boolean',
  tls: { ca: 'any', cert: 'any', key: 'any' } satisfies OptionNames<SenderTls>,
} satisfies OptionNames<Omit<UndiciSenderOptions, 'urlPolicy'>>

const http = {
  maxConnections: 'number',
  requestTimeoutMs: 'number',
  idleTimeoutMs: 'number',
  maxHeaderBytes: 'number',
  maxPipelined: 'number',
} satisfies OptionNames<HttpOptions>

const sqlite = {
  driver: 'text',
  synchronous: 'text',
  busyTimeoutMs: 'number',
} satisfies OptionNames<OpenSqliteOptions>

const postgres = {
  url: 'text',
  max: 'number',
  statementTimeoutMs: 'number',
  lockTimeoutMs: 'number',
  connectTimeoutMs: 'number',
  listen: 'boolean',
  logger: 'object',
} satisfies OptionNames<OpenPostgresOptions>

// The server brings these three.
const { db: _db, queue: _queue, secrets: _secrets, ...engine } = ENGINE_OPTION_NAMES
engine satisfies OptionNames<Omit<EngineOptions, 'db' | 'queue' | 'secrets'>>

const stop = { drainMs: 'number' } satisfies OptionNames<Parameters<DurableEventQueue['stop']>[0]> &
  OptionNames<Parameters<NodeServer['stop']>[0]>

/**
 * Every option of this package, by the function. The compiler keeps each list whole, the functions refuse what is not in
 * it, and the test "every option given as undefined is its default" goes through it.
 */
export const OPTION_NAMES = {
  DurableEventQueue: { db: 'object', ...queue } satisfies OptionNames<DurableEventQueueOptions>,
  'queue.stop': stop,
  createNodeServer: {
    file: 'text',
    sqlite,
    port: 'number',
    hostname: 'text',
    http,
    app: 'function',
    migrations: 'any',
    secrets: 'any',
    engine,
    queue,
    sender,
    postgres: { [OR]: 'a text' as const, ...postgres },
    signals: 'boolean',
  } satisfies OptionNames<NodeServerOptions | PostgresServerOptions>,
  'server.stop': stop,
  createNodeSigner: { maxKeys: 'number' } satisfies OptionNames<Parameters<typeof createNodeSigner>[0]>,
  createUndiciSender: {
    urlPolicy: ENGINE_OPTION_NAMES.urlPolicy,
    ...sender,
  } satisfies OptionNames<UndiciSenderOptions>,
  migrate: { directory: 'any' } satisfies OptionNames<MigrateOptions>,
  openPostgres: postgres,
  openSqlite: sqlite,
}

/** @throws {AdapterError} `invalid_option` for an option that the function does not have */
export function checkOptions(owner: keyof typeof OPTION_NAMES, options: object): void {
  checkNames(owner, OPTION_NAMES[owner], options)
}
