import { type Logger, consoleLogger } from '@keepsend/engine'
import { errorFields, redactingLogger } from '@keepsend/engine/internal'
import type { OutboxDatabase } from '@keepsend/outbox'
import type { OptionNames } from '@keepsend/outbox/internal'
import { type PgPool, fromPostgres } from '@keepsend/outbox/postgres'
import { Announcer, type PostgresListener } from './postgres-notify.ts'
import { NodeAdapterError, checkBounds, checkNames } from '../errors.ts'

export interface OpenPostgresOptions {
  /** `postgres://user:password@host:5432/database`. Tables are created in the first schema of its `search_path`. */
  url: string
  /**
   * Maximum connections of the pool: 2–500. The poller uses up to three concurrently (settles and claims, leases, maintenance),
   * requests that publish use the rest; one more, outside the pool, listens. Every process has its own pool: their sum must
   * stay below the server's `max_connections`. @default 10
   */
  max?: number | undefined
  /** The server cancels a statement after this, in ms: 0 (never) to 3,600,000. Use 0 with a pooler that refuses the setting. @default 30_000 */
  statementTimeoutMs?: number | undefined
  /**
   * How long a statement waits for a lock that another session holds, in ms: 0 (the server's setting) to 60,000. A delivery
   * whose row is locked for longer is settled later, and everything else goes on. Applies to every statement on the pool,
   * including the host's own. Use 0 with a pooler that refuses the setting. @default 2000
   */
  lockTimeoutMs?: number | undefined
  /** How long to wait for a connection, in ms: 100–60,000. @default 5000 */
  connectTimeoutMs?: number | undefined
  /** Notice rows of other processes by `LISTEN`. Without it, only polling finds them. @default true */
  listen?: boolean | undefined
  /** Receives lines about broken connections. @default consoleLogger */
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

/** The part of pg's `Pool` that is used here. pg's own types are not referenced, so that users of SQLite need not install them. */
export interface PostgresPool extends PgPool {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>
  on(event: 'connect', listener: Parameters<PgPool['on']>[1]): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  end(): Promise<void>
}

/** Keepsend's database on Postgres. */
export interface PostgresDatabase<Pool extends PostgresPool = PostgresPool> extends OutboxDatabase {
  /** For the host's own drizzle or reads. */
  readonly pool: Pool
  /** A number that changes when another process has announced new rows. */
  version(): number
  /** Opens a LISTEN connection; returns a function that closes it. */
  listen(): () => Promise<void>
  /** Notifies other processes of new rows, at most every 50 ms. Never throws; failures are logged. */
  announce(): void
  close(): Promise<void>
}

// The client's time-out, for a server that no longer responds: this much longer than the server's.
const QUERY_MARGIN_MS = 5000
// Our transactions wait for nothing but the database, so one that is idle belongs to a process that died.
const IDLE_IN_TRANSACTION_MS = 60_000

/**
 * Opens a pool on Postgres with the driver `pg`. Connects at the first statement, so a server that is down fails that
 * statement, not this call. Pass the driver's type as type argument to use the pool elsewhere, for example with drizzle.
 *
 * @throws {NodeAdapterError} `invalid_option`, naming option, expectation and value
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
  // Imported here, so that users of SQLite need not install it.
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
  pool.on('error', (error) =>
    logger.warn(errorFields(error), 'an idle connection to Postgres broke; the pool opens another when needed'),
  )
  const announcer = new Announcer(
    () => new pg.Client({ ...connection, application_name: 'keepsend listen' }),
    pool,
    logger,
  )
  let closed: Promise<void> | undefined
  return {
    ...fromPostgres(pool),
    pool,
    version: () => announcer.version,
    listen: () => (listen ? announcer.listen() : () => Promise.resolve()),
    announce: () => announcer.announce(),
    close: () => (closed ??= announcer.close().then(() => pool.end())),
  }
}

/** The exports of pg that are used. */
interface PostgresDriver<Pool> {
  readonly Pool: new (options: object) => Pool
  readonly Client: new (options: object) => PostgresListener
}
