import { type Logger, consoleLogger } from '@keepsend/engine'
import { errorFields, redactingLogger } from '@keepsend/engine/internal'
import type { OutboxDatabase } from '@keepsend/outbox'
import type { OptionNames } from '@keepsend/outbox/internal'
import { type PgPool, fromPostgres } from '@keepsend/outbox/postgres'
import { Announcer, type PostgresListener } from './postgres-notify.ts'
import { NodeAdapterError, checkBounds, checkNames } from '../errors.ts'

export interface OpenPostgresOptions {
  /** `postgres://user:password@host:5432/database`; tables go where its `search_path` leads. */
  url: string
  /**
   * Connections at most: 2–500. The poller works with three at a time (settles and claims, leases, clean-up), the rest
   * serve the requests that publish; one more, outside the pool, listens. Every process has its own: what all of them
   * may open must stay below the server's `max_connections`. @default 10
   */
  max?: number | undefined
  /** After this the server ends a statement, in ms: 0 (never) to 3,600,000. A pooler may refuse the setting: 0. @default 30_000 */
  statementTimeoutMs?: number | undefined
  /**
   * How long a statement waits for a lock that another session holds, in ms: 0 (as the server has it) to 60,000. A delivery
   * whose row is locked for longer is settled later, and everything else goes on. It holds for every statement on the
   * pool, the host's own too. A pooler may refuse the setting: 0. @default 2000
   */
  lockTimeoutMs?: number | undefined
  /** How long to wait for a connection, in ms: 100–60,000. @default 5000 */
  connectTimeoutMs?: number | undefined
  /** Hear of other processes' commits by `LISTEN`. Without it, polling alone finds them. @default true */
  listen?: boolean | undefined
  /** Is told of connections that broke. @default consoleLogger */
  logger?: Logger | undefined
}

export const POSTGRES_OPTIONS = {
  url: 'text',
  max: 'number',
  statementTimeoutMs: 'number',
  lockTimeoutMs: 'number',
  connectTimeoutMs: 'number',
  listen: 'boolean',
  logger: 'object',
} satisfies OptionNames<OpenPostgresOptions>

/**
 * The part of pg's `Pool` that is used here. Its own types are named nowhere, so that who keeps rows in SQLite need not
 * install them.
 */
export interface PostgresPool extends PgPool {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>
  on(event: 'connect', listener: Parameters<PgPool['on']>[1]): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  end(): Promise<void>
}

/** A Postgres as Keepsend's database, with what only Postgres has. */
export interface PostgresDatabase<Pool extends PostgresPool = PostgresPool> extends OutboxDatabase {
  /** For the host's own drizzle or reads. */
  readonly pool: Pool
  /** A number that changes when another process has said that rows came. */
  version(): number
  /** Begins to listen; returns how to end it. */
  listen(): () => Promise<void>
  /** Says that rows came, to whoever listens; at most every 50 ms, and never fails. */
  announce(): void
  close(): Promise<void>
}

// The client's own patience, for a server that is gone without a word: longer than the server's.
const QUERY_MARGIN_MS = 5000
// A unit of ours never waits inside its transaction for anything but the database; whoever does so has died.
const IDLE_IN_TRANSACTION_MS = 60_000

/**
 * Opens a pool on a Postgres, by the driver `pg`. Connects when it is first used, so a server that is down fails the
 * first statement, not this. Name the driver's own type where its pool is given on, to drizzle say.
 *
 * @example
 * import type { Pool } from 'pg'
 * const db = await openPostgres<Pool>({ url, max: 20 })
 * const orm = drizzle({ client: db.pool })
 */
export async function openPostgres<Pool extends PostgresPool = PostgresPool>(
  options: string | OpenPostgresOptions,
): Promise<PostgresDatabase<Pool>> {
  const given = typeof options === 'string' ? { url: options } : options
  checkNames('openPostgres', POSTGRES_OPTIONS, given)
  const {
    url,
    max = 10,
    statementTimeoutMs = 30_000,
    lockTimeoutMs = 2000,
    connectTimeoutMs = 5000,
    listen = true,
    logger: plainLogger = consoleLogger,
  }: OpenPostgresOptions = given
  const logger = redactingLogger(plainLogger)
  checkBounds('max', max, 2, 500)
  checkBounds('statementTimeoutMs', statementTimeoutMs, 0, 3_600_000)
  checkBounds('lockTimeoutMs', lockTimeoutMs, 0, 60_000)
  checkBounds('connectTimeoutMs', connectTimeoutMs, 100, 60_000)
  if (typeof url !== 'string' || !/^postgres(ql)?:/.test(url)) {
    throw new NodeAdapterError('invalid_option', 'url must begin with postgres://')
  }
  // Not at the top: who keeps his rows in SQLite need not have it.
  const loaded: { readonly default: unknown } = await import('pg')
  const pg = loaded.default as PostgresDriver<Pool>
  const connection = { connectionString: url, connectionTimeoutMillis: connectTimeoutMs, keepAlive: true }
  const pool = new pg.Pool({
    ...connection,
    max,
    application_name: 'keepsend',
    ...(lockTimeoutMs > 0 && { lock_timeout: lockTimeoutMs }),
    ...(statementTimeoutMs > 0 && {
      statement_timeout: statementTimeoutMs,
      query_timeout: statementTimeoutMs + QUERY_MARGIN_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    }),
  })
  // An idle connection that broke. The pool opens another when it is needed.
  pool.on('error', (error) => logger.warn(errorFields(error), 'an idle connection to Postgres broke'))
  const announcer = new Announcer(
    () => new pg.Client({ ...connection, application_name: 'keepsend listen' }),
    pool,
    logger,
  )
  let closed: Promise<void> | undefined
  return {
    ...fromPostgres(pool),
    pool,
    version: () => announcer.heard,
    listen: () => (listen ? announcer.listen() : () => Promise.resolve()),
    announce: () => announcer.announce(),
    close: () => (closed ??= announcer.close().then(() => pool.end())),
  }
}

/** What pg exports. */
interface PostgresDriver<Pool> {
  readonly Pool: new (options: object) => Pool
  readonly Client: new (options: object) => PostgresListener
}
