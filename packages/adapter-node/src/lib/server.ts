import type { AddressInfo } from 'node:net'
import { type Engine, type EngineOptions, type EventCatalog, createEngine, keepsend } from '@keepsend/engine'
import { ENGINE_OPTION_NAMES } from '@keepsend/engine/internal'
import { OR, type OptionNames, withDefaults } from '@keepsend/outbox/internal'
import { Hono } from 'hono'
import {
  DEFAULT_DRAIN_MS,
  DurableEventQueue,
  type DurableEventQueueOptions,
  QUEUE_OPTIONS,
  STOP_OPTIONS,
} from './durable-event-queue.ts'
import { checkBounds, checkNames } from './errors.ts'
import { type FetchApp, HTTP_OPTIONS, type HttpOptions, closeServer, listen, readHttpOptions } from './http-server.ts'
import { migrate } from './database/migrate.ts'
import {
  type OpenPostgresOptions,
  POSTGRES_OPTIONS,
  type PostgresDatabase,
  openPostgres,
} from './database/open-postgres.ts'
import { type OpenSqliteOptions, SQLITE_OPTIONS, type SqliteDatabase, openSqlite } from './database/open-sqlite.ts'
import { type UndiciSender, createUndiciSender } from './http/undici-sender.ts'
import { SENDER_OPTIONS, type UndiciSenderOptions } from './http/sender-options.ts'
import { onSignals } from './shutdown.ts'
import { createNodeSigner } from './node-signer.ts'
import type { NodeSqliteHandle } from './database/sqlite-drivers.ts'

// The server sets these four itself.
type ServerPart = 'db' | 'queue' | 'secrets' | 'development'
const { db: _db, queue: _queue, secrets: _secrets, development: _development, ...engineOptions } = ENGINE_OPTION_NAMES
engineOptions satisfies OptionNames<Omit<EngineOptions, ServerPart>>

/** The parts that an app is built from. */
export interface NodeServerParts<Db = SqliteDatabase, Catalog extends EventCatalog = EventCatalog> {
  db: Db
  engine: Engine<Catalog>
  queue: DurableEventQueue
}

/** A server on a SQLite file. */
export interface NodeServerOptions<Catalog extends EventCatalog = EventCatalog> extends CommonOptions<
  SqliteDatabase,
  Catalog
> {
  /** The SQLite file; created if it does not exist. */
  file: string
  sqlite?: OpenSqliteOptions | undefined
}

export const SERVER_OPTIONS = {
  file: 'text',
  sqlite: SQLITE_OPTIONS,
  port: 'number',
  hostname: 'text',
  http: HTTP_OPTIONS,
  app: 'function',
  migrations: 'any',
  secrets: 'any',
  development: 'boolean',
  engine: engineOptions,
  queue: QUEUE_OPTIONS,
  sender: SENDER_OPTIONS,
  postgres: { [OR]: 'a text' as const, ...POSTGRES_OPTIONS },
  signals: 'boolean',
} satisfies OptionNames<NodeServerOptions | PostgresServerOptions>

/** A server on a SQLite file with Node's own driver. */
export interface NodeSqliteServerOptions<Catalog extends EventCatalog = EventCatalog> extends CommonOptions<
  SqliteDatabase<NodeSqliteHandle>,
  Catalog
> {
  /** The SQLite file; created if it does not exist. */
  file: string
  sqlite: OpenSqliteOptions & { driver: 'node:sqlite' }
}

/** A server on Postgres, which any number of servers may share. */
export interface PostgresServerOptions<Catalog extends EventCatalog = EventCatalog> extends CommonOptions<
  PostgresDatabase,
  Catalog
> {
  /** Its URL, or all options. */
  postgres: string | OpenPostgresOptions
}

interface CommonOptions<Db, Catalog extends EventCatalog> {
  /** 0 uses any free port. @default 3000 */
  port?: number | undefined
  /** @default '127.0.0.1' */
  hostname?: string | undefined
  /** Limits on clients: connections, times, headers. @default see each */
  http?: HttpOptions | undefined
  /** Creates the app around the engine: a Hono app, or an object with its `fetch`. @default the engine's routes under `/webhooks` */
  app?: ((parts: NodeServerParts<Db, Catalog>) => FetchApp) | undefined
  /** A folder of the app's own `.sql` files, see {@link migrate}. */
  migrations?: string | URL | undefined
  /** The keys that encrypt secrets at rest: see {@link EngineOptions.secrets}. */
  secrets: EngineOptions['secrets']
  /** For local work, never in production: see {@link EngineOptions.development}. @default false */
  development?: boolean | undefined
  /** Options of the engine. Unlike its own default, `history` is on. */
  engine?: Omit<EngineOptions<Catalog>, ServerPart> | undefined
  queue?: Omit<DurableEventQueueOptions, 'db'> | undefined
  /** How the sender connects. Its URL policy is the engine's. */
  sender?: Omit<UndiciSenderOptions, 'urlPolicy'> | undefined
  /** Stop gracefully on SIGTERM and SIGINT. @default true */
  signals?: boolean | undefined
}

export interface NodeServer<Db = SqliteDatabase, Catalog extends EventCatalog = EventCatalog> extends NodeServerParts<
  Db,
  Catalog
> {
  /** The URL that it listens on. */
  url: string
  /** Closes the HTTP server, drains deliveries for `drainMs` (default 10,000), closes the database. A second call waits for the first. */
  stop(options?: { drainMs?: number | undefined }): Promise<void>
}

/**
 * Runs everything in one process: the database, the engine, its poller and an HTTP server. Resolves when the server listens.
 *
 * @throws {NodeAdapterError} `invalid_option`, before anything was opened; and the errors of {@link openSqlite} and {@link migrate}
 */
export async function createNodeServer<Catalog extends EventCatalog = EventCatalog>(
  options: NodeSqliteServerOptions<Catalog>,
): Promise<NodeServer<SqliteDatabase<NodeSqliteHandle>, Catalog>>
export async function createNodeServer<Catalog extends EventCatalog = EventCatalog>(
  options: NodeServerOptions<Catalog>,
): Promise<NodeServer<SqliteDatabase, Catalog>>
export async function createNodeServer<Catalog extends EventCatalog = EventCatalog>(
  options: PostgresServerOptions<Catalog>,
): Promise<NodeServer<PostgresDatabase, Catalog>>
export async function createNodeServer(
  options: AnyServerOptions,
): Promise<NodeServer | NodeServer<SqliteDatabase<NodeSqliteHandle>> | NodeServer<PostgresDatabase>> {
  checkNames('createNodeServer', SERVER_OPTIONS, options)
  const urlPolicy = options.engine?.urlPolicy
  const http = readHttpOptions(options.http)
  // Before the database is opened, so that a bad option leaves nothing behind. A sender without connections needs no close.
  const sender = createUndiciSender({ ...options.sender, urlPolicy })
  if (onNodeSqlite(options)) return serveOn(openSqlite(options.file, options.sqlite), sender, http, options)
  if (!onPostgres(options)) return serveOn(openSqlite(options.file, options.sqlite), sender, http, options)
  const { postgres, engine } = options
  const own = typeof postgres === 'string' ? { url: postgres } : postgres
  return serveOn(await openPostgres(withDefaults(own, { logger: engine?.logger })), sender, http, options)
}

type AnyServerOptions = NodeServerOptions | NodeSqliteServerOptions | PostgresServerOptions

function onNodeSqlite(options: AnyServerOptions): options is NodeSqliteServerOptions {
  return 'sqlite' in options && options.sqlite?.driver === 'node:sqlite'
}

function onPostgres(options: NodeServerOptions | PostgresServerOptions): options is PostgresServerOptions {
  return 'postgres' in options && options.postgres !== undefined
}

async function serveOn<Db extends SqliteDatabase | SqliteDatabase<NodeSqliteHandle> | PostgresDatabase>(
  db: Db,
  sender: UndiciSender,
  http: ReturnType<typeof readHttpOptions>,
  options: CommonOptions<Db, EventCatalog>,
): Promise<NodeServer<Db>> {
  const { port = 3000, hostname = '127.0.0.1', signals = true } = options
  try {
    await migrate(db, { directory: options.migrations })
    const queue = new DurableEventQueue({ ...options.queue, db })
    const engine = createEngine({
      ...withDefaults(options.engine ?? {}, { sender, signer: createNodeSigner(), history: true }),
      secrets: options.secrets,
      development: options.development,
      db,
      queue,
    })
    const parts = { db, engine, queue }
    const app = options.app?.(parts) ?? new Hono().use(keepsend(engine)).route('/webhooks', engine.routes)
    const server = await listen(app, port, hostname, http)
    try {
      await queue.start(engine)
    } catch (error) {
      await closeServer(server, 0)
      throw error
    }

    let stopped: Promise<void> | undefined
    let removeSignals = (): void => {}
    const stop: NodeServer['stop'] = async (how = {}) => {
      checkNames('server.stop', STOP_OPTIONS, how)
      const { drainMs = DEFAULT_DRAIN_MS } = how
      // Checked before anything is closed: otherwise an error would leave the database open.
      checkBounds('drainMs', drainMs, 0, 3_600_000)
      stopped ??= (async () => {
        removeSignals()
        await closeServer(server, drainMs)
        await queue.stop({ drainMs })
        await sender.close()
        await db.close()
      })()
      await stopped
    }
    if (signals) removeSignals = onSignals(stop)
    const address = server.address() as AddressInfo
    return { ...parts, url: `http://${hostname}:${address.port}`, stop }
  } catch (error) {
    await sender.close()
    await db.close()
    throw error
  }
}
