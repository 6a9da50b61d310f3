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
  /** The database that the engine commits to: from `openSqlite`, `openPostgres`, or any other, which is polled. */
  db: OutboxDatabase & CommitSignals
  /**
   * Concurrent attempts: 1–1,000. A request to a silent receiver cannot be taken back, so up to twice as many run while
   * workspaces below their share have rows. @default 32
   */
  concurrency?: number | undefined
  /**
   * The share of one workspace while others have rows: from 1 to `concurrency`. A workspace that is alone may use all slots.
   * @default half of `concurrency`
   */
  slotsPerWorkspace?: number | undefined
  /**
   * Concurrent attempts for one endpoint, unless it answers fast: from 1 to `concurrency`. An endpoint's own `concurrency` can
   * lower it. Further rows wait in their lane. @default a quarter of `concurrency`
   */
  slotsPerEndpoint?: number | undefined
  /**
   * Concurrent attempts for one destination host, of all endpoints and workspaces that name it: 1–2,000. Further rows wait in
   * their lanes and count no attempt. @default 64
   */
  slotsPerHost?: number | undefined
  /**
   * Outcomes that a commit waits for: 1–900; on Postgres for half as many. It waits at most 10 ms from the first outcome, or twice
   * the time of the last commit if that is longer, up to 50 ms, and for the commit before it. A larger batch makes each delivery
   * cheaper. A crash can duplicate at most this many deliveries plus twice `concurrency`. @default 192
   */
  settleBatch?: number | undefined
  /**
   * How long a claim outlives its process, in ms: 3,000–3,600,000, and at least the engine's `maxDeadlineMs` plus 2 s.
   * Renewed every third of it while attempts run. @default 60_000
   */
  leaseMs?: number | undefined
  /** The safety poll, in ms: 100–60,000. Kicks, due times and other processes' commits trigger a poll earlier. @default 5000 */
  pollMs?: number | undefined
  /** The interval of maintenance, in ms: 1,000–3,600,000. @default 60_000 */
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

/** How a database signals other processes' commits, if it can. The safety poll finds rows whose signal was missed. */
export interface CommitSignals {
  /** A number that changes when another process has committed; read every 25 ms. */
  version?: (() => number) | undefined
  /** Notifies other processes after a commit of this one. Must not throw, and must limit its own frequency. */
  announce?: (() => void) | undefined
  /** Called at the start, where `version` needs it; returns a function that ends it. */
  listen?: (() => () => Promise<void>) | undefined
}

/** For the overrun of a deadline, the commit of the settle, and waiting for a busy database. */
const LEASE_MARGIN_MS = 2000

// A publish kicks every poller on the same database handle: one queue may publish and another deliver, and a handle gets no
// commit signals of its own commits.
const pollers = (): WeakMap<OutboxDatabase, Set<Pick<Poller, 'kick'>>> =>
  sharedByCopies('@keepsend/adapter-node pollers', () => new WeakMap())

/** A stop waits this long for attempts in flight: less than the 30 s after which most supervisors kill the process. */
export const DEFAULT_DRAIN_MS = 10_000

// A commit of SQLite ends with an fsync, which the deliveries of a batch share: 36.3 µs each with 128, 33.7 with 192, 34.4
// with 256 (measured side by side).
const SETTLE_BATCH = 192

// While a server commits one half of a batch, the other half is sent. With whole batches the rows claimed ahead ran out, and
// slots waited for Postgres: 4,990 deliveries a second to 100 endpoints with history instead of 6,770 (measured in turn).
// SQLite commits within a tick of the event loop.
const GROUPS_PER_BATCH = { sqlite: 1, postgres: 2 } as const

/**
 * The queue on Node: its rows are the queue. A publish notifies the poller, which delivers all due rows, also those of other
 * processes. Several queues and processes may share one database.
 *
 * @example
 * const queue = new DurableEventQueue({ db })
 * const engine = createEngine({ db, queue, secrets, sender: createUndiciSender() })
 * await queue.start(engine)
 * process.once('SIGTERM', () => queue.stop({ drainMs: 10_000 }))
 */
export class DurableEventQueue implements EventQueue, AsyncDisposable {
  readonly rowsStart = 'now'
  readonly #options: Resolved<Omit<DurableEventQueueOptions, 'db'>> & { groupSize: number }
  readonly #db: DurableEventQueueOptions['db']
  #running:
    | {
        poller: Poller
        maintenance: MaintenanceTimer
        unlisten: (() => Promise<void>) | undefined
        target: Pick<PublishTarget, 'maxAgeMs' | 'deliveriesPerPublish' | 'recordsEvents' | 'searchPaths' | 'logger'>
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
      settleBatch = SETTLE_BATCH,
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
    const groupSize = Math.ceil(settleBatch / GROUPS_PER_BATCH[db.dialect.name])
    this.#options = { ...slots, settleBatch, groupSize, leaseMs, pollMs, maintenanceMs }
  }

  /** A message with `outboxId` has its row: only kicks the poller. Otherwise inserts the rows first. */
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
   * Starts to deliver, beginning with rows that an earlier process left. A second call does nothing.
   *
   * @throws {NodeAdapterError} `invalid_option` when the engine has no sender, or a lease could expire while its attempt runs
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
        `leaseMs must be at least the engine's maxDeadlineMs (${engine.worker.maxDeadlineMs}) plus ${LEASE_MARGIN_MS} ms; found ${leaseMs}`,
      )
    }
    await engine.worker.checkKeys()
    const version = this.#db.version?.bind(this.#db)
    const unlisten = this.#db.listen?.()
    const onUnsafe = (error: OutboxError): void => {
      engine.logger.error(
        errorFields(error),
        'deliveries have stopped: the database is not safe to use; restart this process',
      )
      void this.stop({ drainMs: 0 })
    }
    const poller = new Poller(engine, { ...this.#options, version, onUnsafe })
    const maintenance = new MaintenanceTimer(engine, this.#options.maintenanceMs, () => poller.kick())
    const { maxAgeMs, limits, recordsEvents, searchPaths, logger } = engine
    const { deliveriesPerPublish } = limits
    this.#running = {
      poller,
      maintenance,
      unlisten,
      target: { maxAgeMs, deliveriesPerPublish, recordsEvents, searchPaths, logger },
    }
    pollers().set(this.#db, (pollers().get(this.#db) ?? new Set()).add(poller))
  }

  /**
   * Claims nothing more, waits up to `drainMs` (0–3,600,000, default 10,000) for attempts in flight, settles them, and releases
   * the other claims. A second call waits for the first.
   */
  stop(options: { drainMs?: number | undefined } = {}): Promise<void> {
    checkNames('queue.stop', STOP_OPTIONS, options)
    const { drainMs = DEFAULT_DRAIN_MS } = options
    checkBounds('drainMs', drainMs, 0, 3_600_000)
    // The start may still be checking keys.
    const stop = (): Promise<void> => this.#stop(drainMs)
    return this.#starting ? this.#starting.then(stop, stop) : stop()
  }

  #stop(drainMs: number): Promise<void> {
    const running = this.#running
    if (!running) return this.#stopping ?? Promise.resolve()
    this.#running = undefined
    pollers().get(this.#db)?.delete(running.poller)
    this.#stopping = Promise.all([running.maintenance.stop(), running.poller.stop(drainMs), running.unlisten?.()]).then(
      () => undefined,
    )
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

export const STOP_OPTIONS = { drainMs: 'number' } satisfies OptionNames<Parameters<DurableEventQueue['stop']>[0]>
