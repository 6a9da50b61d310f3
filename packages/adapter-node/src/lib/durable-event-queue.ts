import { type Engine, type EventQueue, type QueuedEvent, insertQueuedEvent } from '@keepsend/engine'
import { type PublishTarget, errorFields } from '@keepsend/engine/internal'
import type { OutboxDatabase, OutboxError } from '@keepsend/outbox'
import {
  DEFAULT_LEASE_MS,
  type OptionNames,
  type Resolved,
  endpointIdOf,
  sharedByCopies,
} from '@keepsend/outbox/internal'
import { NodeAdapterError, checkBounds, checkNames } from './errors.ts'
import { Poller } from './poller/poller.ts'
import { MaintenanceTimer } from './poller/maintenance-timer.ts'

export interface DurableEventQueueOptions {
  /** The database that the engine commits to: `openSqlite`, `openPostgres`, or any other, which is polled. */
  db: OutboxDatabase & CommitSignals
  /**
   * Attempts at once: 1–1,000. A slot cannot be taken back from a receiver that does not answer, so up to twice as many run
   * while others wait who would get little otherwise. @default 32
   */
  concurrency?: number | undefined
  /**
   * The share of one workspace while others have rows: 1–1,000, and no more than `concurrency`; alone it may have all.
   * @default half of `concurrency`
   */
  slotsPerWorkspace?: number | undefined
  /**
   * Attempts at once for one endpoint, unless it answers fast: 1–1,000, and no more than `concurrency`. An endpoint's own
   * `concurrency` is a wish within it. What is beyond stays in line. @default a quarter of `concurrency`
   */
  slotsPerEndpoint?: number | undefined
  /**
   * Attempts at once for one destination host, of all endpoints and workspaces that name it: 1–2,000. What is beyond stays in
   * line and is not counted as an attempt. @default 64
   */
  slotsPerHost?: number | undefined
  /**
   * Outcomes that may gather for one commit, for 10 ms at most: 1–900. A fuller commit is a cheaper one; what a crash
   * can send twice is at most this and twice `concurrency`. @default 192; on Postgres 128
   */
  settleBatch?: number | undefined
  /**
   * How long a claim outlives its process, in ms: 3,000–3,600,000, and at least the engine's `maxDeadlineMs` and 2 s.
   * Renewed at a third while attempts run. @default 60_000
   */
  leaseMs?: number | undefined
  /** The safety poll, in ms: 100–60,000. Kicks, due times and other processes' commits wake the poller before. @default 5000 */
  pollMs?: number | undefined
  /** The cadence of clean-up, in ms: 1,000–3,600,000. @default 60_000 */
  maintenanceMs?: number | undefined
}

export const QUEUE_OPTIONS = {
  concurrency: 'number',
  slotsPerWorkspace: 'number',
  slotsPerEndpoint: 'number',
  slotsPerHost: 'number',
  settleBatch: 'number',
  leaseMs: 'number',
  pollMs: 'number',
  maintenanceMs: 'number',
} satisfies OptionNames<Omit<DurableEventQueueOptions, 'db'>>

export const DURABLE_EVENT_QUEUE_OPTIONS = {
  db: 'object',
  ...QUEUE_OPTIONS,
} satisfies OptionNames<DurableEventQueueOptions>

/** How a database tells of other processes' commits, if it does. Whatever it misses, the safety poll finds. */
export interface CommitSignals {
  /** A number that changes when another process has committed; looked at every 25 ms. */
  version?: (() => number) | undefined
  /** Says so to other processes after a commit of this one. Never throws, and takes care not to say it too often. */
  announce?: (() => void) | undefined
  /** Called at the start, where `version` needs it; returns how to end it. */
  listen?: (() => () => Promise<void>) | undefined
}

/** Deadline overrun, the settle's commit, and a busy database's patience. */
const LEASE_MARGIN_MS = 2000

// Which poller of this process delivers what a queue has made is no matter: one queue may publish, and another deliver.
// A handle tells nobody of its own commits.
const pollers = (): WeakMap<OutboxDatabase, Set<Pick<Poller, 'kick'>>> =>
  sharedByCopies('@keepsend/adapter-node pollers', () => new WeakMap())

/** A stop waits this long for what is under way: less than the 30 s after which most supervisors kill. */
export const DEFAULT_DRAIN_MS = 10_000

// A commit of SQLite ends with a sync, which more deliveries share: 36.3 µs each with 128, 33.7 with 192, 34.4 with 256 (measured
// beside each other). On Postgres 192 gained nothing.
const SETTLE_BATCH = { sqlite: 192, postgres: 128 } as const

/**
 * The queue that is a table: it tells its poller of new rows, and the poller delivers what is due, this process's rows
 * and any other's. Many may run on one database.
 *
 * @example
 * const queue = new DurableEventQueue({ db })
 * const engine = createEngine({ db, queue, secrets, sender: createUndiciSender() })
 * await queue.start(engine)
 * process.once('SIGTERM', () => queue.stop({ drainMs: 10_000 }))
 */
export class DurableEventQueue implements EventQueue, AsyncDisposable {
  readonly rowsStart = 'now'
  readonly #options: Resolved<Omit<DurableEventQueueOptions, 'db'>>
  readonly #db: DurableEventQueueOptions['db']
  #running:
    | {
        poller: Poller
        upkeep: MaintenanceTimer
        deafen: (() => Promise<void>) | undefined
        target: Pick<PublishTarget, 'maxAgeMs' | 'deliveriesPerPublish'>
      }
    | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(options: DurableEventQueueOptions) {
    checkNames('DurableEventQueue', DURABLE_EVENT_QUEUE_OPTIONS, options)
    const {
      db,
      concurrency = 32,
      slotsPerWorkspace = Math.max(1, Math.floor(concurrency / 2)),
      slotsPerEndpoint = Math.max(1, Math.floor(concurrency / 4)),
      slotsPerHost = 64,
      settleBatch = SETTLE_BATCH[db.dialect.name],
      leaseMs = DEFAULT_LEASE_MS,
      pollMs = 5000,
      maintenanceMs = 60_000,
    } = options
    checkBounds('concurrency', concurrency, 1, 1000)
    checkBounds('slotsPerWorkspace', slotsPerWorkspace, 1, concurrency)
    checkBounds('slotsPerEndpoint', slotsPerEndpoint, 1, concurrency)
    checkBounds('slotsPerHost', slotsPerHost, 1, 2000)
    checkBounds('settleBatch', settleBatch, 1, 900)
    checkBounds('leaseMs', leaseMs, 3000, 3_600_000)
    checkBounds('pollMs', pollMs, 100, 60_000)
    checkBounds('maintenanceMs', maintenanceMs, 1000, 3_600_000)
    this.#db = db
    const slots = { concurrency, slotsPerWorkspace, slotsPerEndpoint, slotsPerHost }
    this.#options = { ...slots, settleBatch, leaseMs, pollMs, maintenanceMs }
  }

  /** With `outboxId` the row is there: only wakes the poller. Without: makes the rows first, then wakes it. */
  async send(message: QueuedEvent): Promise<void> {
    const target: PublishTarget = { db: this.#db, rowsStart: this.rowsStart, ...this.#running?.target }
    const rows = message.outboxId === undefined ? await insertQueuedEvent(target, message) : [message]
    for (const poller of pollers().get(this.#db) ?? []) {
      for (const { outboxId = '', workspaceId } of rows) {
        poller.kick({ workspaceId, endpointId: endpointIdOf(outboxId) })
      }
    }
    this.#db.announce?.()
  }

  async sendBatch(messages: QueuedEvent[]): Promise<void> {
    await Promise.all(messages.map((message) => this.send(message)))
  }

  /**
   * Begins to deliver, first of all what an earlier process left. A second call does nothing.
   *
   * @throws {NodeAdapterError} `invalid_option` when the engine has no sender, or a lease could end while its attempt runs
   * @throws {EngineError} `secret_unreadable` when the keys of the engine's `secrets` are not those of the database
   */
  async start(engine: Engine): Promise<void> {
    this.#starting ??= this.#start(engine).finally(() => (this.#starting = undefined))
    await this.#starting
  }

  async #start(engine: Engine): Promise<void> {
    await this.#stopping
    if (this.#running) return
    if (!engine.worker.canDeliver) {
      throw new NodeAdapterError(
        'invalid_option',
        'the engine has no sender, so each attempt would fail: give createEngine one (createUndiciSender()), or do not start the queue in a process that only publishes',
      )
    }
    const { leaseMs } = this.#options
    if (leaseMs < engine.worker.maxDeadlineMs + LEASE_MARGIN_MS) {
      throw new NodeAdapterError(
        'invalid_option',
        `leaseMs must be at least the engine's maxDeadlineMs (${engine.worker.maxDeadlineMs}) and ${LEASE_MARGIN_MS} ms; found ${leaseMs}`,
      )
    }
    await engine.worker.checkKeys()
    const version = this.#db.version?.bind(this.#db)
    const deafen = this.#db.listen?.()
    const onUnsafe = (error: OutboxError): void => {
      engine.logger.error(
        errorFields(error),
        'deliveries have stopped: the database is not safe to use; restart this process',
      )
      void this.stop({ drainMs: 0 })
    }
    const poller = new Poller(engine, { ...this.#options, version, onUnsafe })
    const upkeep = new MaintenanceTimer(engine, this.#options.maintenanceMs, () => poller.kick())
    const { maxAgeMs, limits } = engine
    const { deliveriesPerPublish } = limits
    this.#running = { poller, upkeep, deafen, target: { maxAgeMs, deliveriesPerPublish } }
    pollers().set(this.#db, (pollers().get(this.#db) ?? new Set()).add(poller))
  }

  /**
   * Claims nothing more, waits up to `drainMs` (default 10,000) for attempts under way, settles them, and gives back
   * the rest. A second call waits for the first.
   */
  stop(options: { drainMs?: number | undefined } = {}): Promise<void> {
    checkNames('queue.stop', STOP_OPTIONS, options)
    const { drainMs = DEFAULT_DRAIN_MS } = options
    checkBounds('drainMs', drainMs, 0, 3_600_000)
    // It may still be checking keys.
    const stop = (): Promise<void> => this.#stop(drainMs)
    return this.#starting ? this.#starting.then(stop, stop) : stop()
  }

  #stop(drainMs: number): Promise<void> {
    const running = this.#running
    if (!running) return this.#stopping ?? Promise.resolve()
    this.#running = undefined
    pollers().get(this.#db)?.delete(running.poller)
    this.#stopping = Promise.all([running.upkeep.stop(), running.poller.stop(drainMs), running.deafen?.()]).then(
      () => undefined,
    )
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

export const STOP_OPTIONS = { drainMs: 'number' } satisfies OptionNames<Parameters<DurableEventQueue['stop']>[0]>
