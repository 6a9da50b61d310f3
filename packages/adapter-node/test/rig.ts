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

/** On a busy machine a test waits this long for what will come. What never comes fails it. */
export const PATIENCE_MS = 60_000

/** Endpoints of the tests are on this machine. */
export const LOOPBACK: UrlPolicy = { allowHttp: true, allowPorts: 'any', allowCidrs: ['127.0.0.0/8'] }

/** Resolves when the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: PATIENCE_MS, interval: 10 })
}

/** A path in a folder that is gone when the test is over. */
export function temporaryFile(name = 'app.db'): string {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-node-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, name)
}

/** A logger that keeps what it is told. */
export function keptLog(): Logger & { messages: string[]; fields: Record<string, unknown>[] } {
  const messages: string[] = []
  const fields: Record<string, unknown>[] = []
  const keep = (some: Record<string, unknown>, message: string) => {
    messages.push(message)
    fields.push(some)
  }
  return { messages, fields, info: keep, warn: keep, error: keep }
}

/** A row as it stands, and how often it has moved: `gen` begins at `created_at`. */
export interface StandingRow extends PendingEvent {
  moves: number
}

export function standingRows(rows: readonly Row[]): StandingRow[] {
  return readPendingEvents(rows).map((row) => ({ ...row, moves: row.gen - row.createdAt }))
}

/** For a test that waits for the end of a lease. The deadline must be shorter. */
export const SHORT_LEASE = {
  engine: { deadlineMs: 1000, maxDeadlineMs: 1000 },
  queue: { leaseMs: 3000 },
} satisfies RigOptions

export interface RigOptions {
  file?: string
  /** @default deadlines that no test waits for, whatever else the machine does */
  engine?: Partial<EngineOptions>
  /** @default woken by everything but the safety poll */
  queue?: Partial<DurableEventQueueOptions>
  sender?: UndiciSenderOptions
  /** Stands between the engine and the file. */
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
  /** An endpoint of workspace `w` that wants everything. */
  addEndpoint: (url: string, parts?: Partial<EndpointInput>) => Promise<{ id: string; secret: string }>
  /** That many events in one commit; their ids. */
  publish: (count: number, type?: string) => Promise<string[]>
}

/**
 * An engine, its sender and a queue that is not started yet, on a file of its own: the parts that an app puts together
 * by hand, with a connection that writes down what runs on it. All of it is stopped and closed after the test.
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
  // One endpoint may have all slots, but where a test says otherwise.
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

/** A second queue on the same file, with a connection of its own. */
export async function rival(first: Rig, options: Omit<RigOptions, 'file'> = {}): Promise<Rig> {
  return rig({ ...options, file: first.file })
}

async function prepare(file: string): Promise<void> {
  const db = openSqlite(file)
  await migrate(db)
  db.close()
}

/** A signal: `promise` is settled by whoever calls `resolve`. */
export function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
