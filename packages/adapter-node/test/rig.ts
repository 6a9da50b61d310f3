import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type EndpointInput,
  type Engine,
  type EngineOptions,
  type Logger,
  type UrlPolicy,
  createEngine,
} from '@keepsend/engine'
import { type OutboxDatabase, type PendingEvent, newEventId } from '@keepsend/outbox'
import { type Row, pendingEvents, readPendingEvents } from '@keepsend/outbox/internal'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import Database from 'better-sqlite3'
import { expect, onTestFinished, vi } from 'vitest'
import {
  DurableEventQueue,
  type DurableEventQueueOptions,
  type UndiciSenderOptions,
  createUndiciSender,
  migrate,
  openSqlite,
} from '../src/index.ts'
import { TEST_KEYS } from './keys.ts'

/** How long a test waits for an expected event, long enough for a busy machine. */
export const PATIENCE_MS = 60_000

/** Endpoints of the tests are on this machine. */
export const LOOPBACK: UrlPolicy = { allowHttp: true, allowPorts: 'any', allowCidrs: ['127.0.0.0/8'] }

/** Resolves when the condition is true. */
export async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: PATIENCE_MS, interval: 10 })
}

/** A path in a folder that is removed after the test. */
export function temporaryFile(name = 'app.db'): string {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-node-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, name)
}

/** A logger that records its lines. */
export function keptLog(): Logger & { messages: string[]; fields: Record<string, unknown>[] } {
  const messages: string[] = []
  const fields: Record<string, unknown>[] = []
  const keep = (some: Record<string, unknown>, message: string) => {
    messages.push(message)
    fields.push(some)
  }
  return { messages, fields, info: keep, warn: keep, error: keep }
}

/** A row, and how many transitions it made: `gen` starts at `created_at`. */
export interface StandingRow extends PendingEvent {
  moves: number
}

export function standingRows(rows: readonly Row[]): StandingRow[] {
  return readPendingEvents(rows).map((row) => ({ ...row, moves: row.gen - row.createdAt }))
}

/** Records each row as it is when its delivery deletes it; the function reads them. */
export function recordDeletedRows(connection: Database.Database): () => StandingRow[] {
  connection.exec(`
    create table deleted_events as select * from pending_events where false;
    create trigger record_deleted before delete on pending_events begin
      insert into deleted_events select * from pending_events where id = old.id;
    end`)
  const read = connection.prepare<[], Row>(`select ${pendingEvents.all.sql} from deleted_events order by id`)
  return () => standingRows(read.all())
}

/** For tests that wait for a lease to expire. The deadline must be shorter. */
export const SHORT_LEASE = {
  engine: { deadlineMs: 1000, maxDeadlineMs: 1000 },
  queue: { leaseMs: 3000 },
} satisfies RigOptions

export interface RigOptions {
  file?: string
  /** @default deadlines longer than any test waits */
  engine?: Partial<EngineOptions>
  /** @default every trigger except the safety poll */
  queue?: Partial<DurableEventQueueOptions>
  sender?: UndiciSenderOptions
  /** Wraps the database of the engine. */
  wrap?: (db: OutboxDatabase) => OutboxDatabase
}

export interface Rig {
  file: string
  connection: Database.Database
  /** Each statement that ran on the connection, in order. */
  statements: string[]
  db: OutboxDatabase & { version(): number }
  engine: Engine
  queue: DurableEventQueue
  log: ReturnType<typeof keptLog>
  rows: () => StandingRow[]
  /** Creates an endpoint of workspace `w` for all events. */
  addEndpoint: (url: string, parts?: Partial<EndpointInput>) => Promise<{ id: string; secret: string }>
  /** Publishes events in one commit; returns their ids. */
  publish: (count: number, type?: string) => Promise<string[]>
}

/**
 * An engine, its sender and a queue that is not started yet, on a file of its own, put together as an app does, with a connection
 * that records its statements. All are stopped and closed after the test.
 */
export async function rig(options: RigOptions = {}): Promise<Rig> {
  const { file = temporaryFile(), wrap = (same) => same } = options
  await prepare(file)
  const statements: string[] = []
  const connection = new Database(file, { verbose: (sql) => void statements.push(String(sql).trim()) })
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON']) connection.pragma(pragma)
  const dataVersion = connection.prepare('pragma data_version').pluck()
  const db = {
    ...wrap(fromBetterSqlite(connection, { defer: setImmediate })),
    version: () => Number(dataVersion.get()),
  }

  const log = keptLog()
  const sender = createUndiciSender({ urlPolicy: LOOPBACK, ...options.sender })
  // One endpoint may use all slots by default.
  const slots = { slotsPerEndpoint: options.queue?.concurrency ?? 32 }
  const queue = new DurableEventQueue({ db, leaseMs: 20_000, pollMs: 60_000, ...slots, ...options.queue })
  const engine = createEngine({
    db,
    queue,
    sender,
    secrets: TEST_KEYS,
    logger: log,
    deadlineMs: 15_000,
    maxDeadlineMs: 15_000,
    random: () => 0,
    ...options.engine,
  })
  onTestFinished(async () => {
    await queue.stop({ drainMs: 0 })
    await sender.close()
    connection.close()
  })
  const read = connection.prepare<[], Row>(`select ${pendingEvents.all.sql} from pending_events order by id`)
  return {
    file,
    connection,
    statements,
    db,
    engine,
    queue,
    log,
    rows: () => standingRows(read.all()),
    async addEndpoint(url, parts = {}) {
      const { endpoint, secret } = await engine.endpoints.create('w', { url, ...parts })
      return { id: endpoint.id, secret }
    },
    async publish(count, type = 'message.created') {
      const events = Array.from({ length: count }, (_, n) => ({
        id: newEventId(),
        type,
        workspaceId: 'w',
        data: { n },
      }))
      return (await engine.commit({ writes: [], events })).eventIds
    },
  }
}

/** A second queue on the same file, with its own connection. */
export async function rival(first: Rig, options: Omit<RigOptions, 'file'> = {}): Promise<Rig> {
  return rig({ ...options, file: first.file })
}

async function prepare(file: string): Promise<void> {
  const db = openSqlite(file)
  await migrate(db)
  db.close()
}

/** A signal: `resolve` settles `promise`. */
export function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** How many delivered deliveries the engine lists for a workspace. */
export async function delivered({ deliveries }: Pick<Engine, 'deliveries'>, workspaceId = 'w'): Promise<number> {
  return (await deliveries.list(workspaceId, { limit: 1000, status: 'completed' })).rows.length
}
