import { createNodeSigner } from '@keepsend/adapter-node'
import { type Engine, EngineError, type EventQueue, createEngine, silentLogger } from '@keepsend/engine'
import { type ClaimRef, type OutboxDatabase, replayEvents } from '@keepsend/outbox'
import { eventIdOf, firstEventIdAt } from '@keepsend/outbox/internal'
import Database from 'better-sqlite3'
import { type Mutant, mutate } from '../lib/mutants.ts'
import { synchronously, useClock } from '../lib/virtual-clock.ts'
import { context, newPublication } from './context.ts'
import { FaultyDatabase } from './faulty-database.ts'
import { Ledger } from './ledger.ts'
import { send } from './network.ts'
import type { Choice, Fault, Story } from './story.ts'
import { RETRY_SCHEDULE, START_MS, type Workspace, template } from './template.ts'
import { type Owner, VirtualTime } from './virtual-time.ts'

/** A step that waits to happen: an operation on its way to the database, a response on its way back … */
interface Task {
  label: string
  /** Its process; undefined for a request on the network, which continues if its sender dies. */
  owner: Owner | undefined
  run(choice: Choice): void
}

/** A process, or an isolate, of the world. */
export interface Process extends Owner {
  name: string
  engine: Engine
}

/** A layer between Keepsend and the database: a mutant, or a control that lies. */
export interface Control {
  mutant?: Mutant
  /** Reports a commit as done and undoes it, once in so many. */
  liesOnceIn?: number
  /** Properties of its stories, if few of all stories could detect it. */
  about?: Partial<Story>
}

// Longer than any story lasts.
const WEEK_MS = 604_800_000

/** Everything outside Keepsend: clocks, the database, the network, processes, and faults. */
export class World {
  readonly time: VirtualTime
  readonly ledger: Ledger
  readonly story: Story
  /** Maximum age of a delivery. */
  readonly maxAgeMs: number
  readonly mutated: readonly number[]
  /** The last log entries, to explain a failure. */
  readonly log: string[] = []
  calm = false
  /** A person at a console, who has no faults. */
  readonly operator: Process
  #orders: Promise<unknown> = Promise.resolve()
  readonly #connection: Database.Database
  readonly #db: OutboxDatabase
  readonly #uninstall: () => void
  readonly #database: FaultyDatabase
  #tasks: Task[] = []
  readonly #published = new Map<string, Workspace>()
  /** Attempts whose outcome is not settled yet, and their processes. */
  readonly #inFlight = new Map<ClaimRef, object>()

  static async create(story: Story, control: Control = {}): Promise<World> {
    return new World(await template(), story, control)
  }

  private constructor(image: Buffer, story: Story, control: Control) {
    this.story = story
    this.maxAgeMs = story.maxAgeMs ?? WEEK_MS
    this.#connection = new Database(image)
    const plain = synchronously(this.#connection)
    const mutated = control.mutant && mutate(plain, control.mutant)
    this.#db = mutated?.db ?? plain
    this.mutated = mutated?.counts ?? []
    const nobody: Owner = { dead: false, pausedUntil: 0 }
    this.time = new VirtualTime(START_MS, () => context.getStore()?.process ?? nobody)
    this.ledger = new Ledger(this.#connection, this.time, this.maxAgeMs)
    useClock(this.#connection, () => this.time.timeOfDay)
    this.#uninstall = this.time.install()
    this.#database = new FaultyDatabase(this, this.#connection, this.#db, control.liesOnceIn)
    this.operator = this.start('the operator', () => ({ send: async () => {} }), { safe: true }).process
  }

  close(): void {
    this.#uninstall()
    this.#connection.close()
  }

  has(fault: Fault): boolean {
    return !this.calm && this.story.faults.includes(fault)
  }

  /**
   * Starts a process that is set up like an app, on this world's database and network.
   *
   * @param options `safe`: its database operations have no faults
   */
  start<Q extends EventQueue>(
    name: string,
    createQueue: (db: OutboxDatabase) => Q,
    { safe = false }: { safe?: boolean } = {},
  ): { process: Process; queue: Q } {
    const owner = { name, dead: false, pausedUntil: 0 }
    const db = this.#database.portOf(owner, safe)
    const queue = createQueue(db)
    const plain = createEngine({
      db,
      queue,
      sender: { send: (request) => send(this, owner, request) },
      signer: createNodeSigner(),
      // Decryption needs real event-loop ticks, which no story can repeat.
      secrets: 'plaintext-for-development',
      logger: silentLogger,
      retrySchedule: RETRY_SCHEDULE,
      deadlineMs: 1000,
      maxDeadlineMs: 1000,
      history: true,
      maxAgeMs: this.maxAgeMs,
      // Clean-up deletes nothing in the hours of a story.
      failedRetentionMs: 100 * 86_400_000,
      random: () => 0,
    })
    // Records which claims an operation settles, and under which claim an attempt is made.
    const engine: Engine = {
      ...plain,
      worker: {
        ...plain.worker,
        deliver: (event, ...rest) => {
          this.#inFlight.set(event, owner)
          return context.run({ process: owner, delivering: event }, () => plain.worker.deliver(event, ...rest))
        },
        settleEach: async (finished, ...rest) => {
          const settling = finished.map((one) => one.claim)
          const settled = await context.run({ process: owner, settling }, () =>
            plain.worker.settleEach(finished, ...rest),
          )
          for (const claim of settling) this.#inFlight.delete(claim)
          return settled
        },
      },
    }
    this.say(`${name} starts`)
    return { process: Object.assign(owner, { engine }), queue }
  }

  /** Queues the operator's actions, which run one after the other. */
  order(work: () => Promise<unknown>): void {
    this.#orders = this.#orders.then(work)
  }

  /** Runs a function as this process. */
  as<T>(process: Owner, work: () => T): T {
    return context.run({ process }, work)
  }

  /** Ends a process. Its requests on the network continue. */
  kill(process: Process): void {
    this.say(`${process.name} dies`)
    process.dead = true
    this.time.forget(process)
    this.#tasks = this.#tasks.filter(({ owner }) => owner !== process)
    for (const [claim, owner] of this.#inFlight) if (owner === process) this.#inFlight.delete(claim)
  }

  put(task: Task): void {
    if (!task.owner?.dead) this.#tasks.push(task)
  }

  /** Steps that could happen now. */
  ready(): readonly Task[] {
    const tasks = this.#tasks.filter(({ owner }) => !owner || this.time.mayRun(owner))
    const timers = this.time.due().map(({ owner, run }): Task => ({ label: 'a timer', owner, run: () => run() }))
    return [...tasks, ...timers]
  }

  run(task: Task, choice: Choice): void {
    this.#tasks = this.#tasks.filter((one) => one !== task)
    if (task.label !== 'a timer') this.say(task.label)
    task.run(choice)
  }

  /** The end of the last pause, by the wall clock. */
  get pausedUntil(): number {
    const last = this.#connection.prepare('select max(paused_until) from keepsend_endpoints').pluck().get()
    return (last as number | null) ?? 0
  }

  /** Commits events from this process; each has a row for each endpoint of the workspace. */
  publish(process: Process, count: number, workspaceId: Workspace): void {
    const ids = Array.from({ length: count }, (_, index) => {
      const number = String(this.#published.size + 1 + index).padStart(12, '0')
      return `${firstEventIdAt(this.time.timeOfDay)}-7000-8000-${number}`
    })
    for (const id of ids) this.#published.set(id, workspaceId)
    this.say(`${process.name} publishes ${count} in ${workspaceId}`)
    this.#commit(process, workspaceId, ids)
  }

  /**
   * Commits an event again from this process, under the same id. Rows of it were deleted since; prefers an event with a
   * row whose worker does not know it yet.
   */
  publishAgain(process: Process, choice: Choice): void {
    const ended = [...this.#published.keys()].filter((one) => this.ledger.hasLostRows(one))
    const deletedInFlight = new Set(
      [...this.#inFlight.keys()].filter((one) => this.ledger.isOver(one)).map(({ id }) => eventIdOf(id)),
    )
    const unnoticed = ended.filter((one) => deletedInFlight.has(one))
    const id = choice.of(unnoticed.length > 0 ? unnoticed : ended)
    const workspaceId = this.#published.get(id ?? '')
    if (id === undefined || workspaceId === undefined) return
    this.say(`${process.name} publishes ${id} again`)
    this.#commit(process, workspaceId, [id])
  }

  #commit(process: Process, workspaceId: Workspace, ids: readonly string[]): void {
    const rest = { type: 'message.created', workspaceId, data: {}, timestamp: '2026-01-01T00:00:00Z' }
    const events = ids.map((id) => ({ id, ...rest }))
    const publishing = newPublication(workspaceId, ids)
    void context
      .run({ process, publishing }, () => process.engine.commit({ writes: [], events }))
      .then(
        () => this.ledger.acknowledge(publishing),
        (error: unknown) => {
          if (error instanceof EngineError && error.code === 'not_accepted') this.ledger.refuse(publishing)
        },
      )
  }

  /** Replays failed rows. */
  replay(workspaceId: Workspace): void {
    this.say(`failed rows of ${workspaceId} are replayed`)
    const failed = this.#connection
      .prepare(
        `select endpoint_id from pending_events where workspace_id = ? and status = 'failed' order by completed_at`,
      )
      .pluck()
      .get(workspaceId)
    if (typeof failed === 'string') void replayEvents(this.#db, { workspaceId, endpointId: failed }, { limit: 2 })
    this.ledger.observe({ by: this, replay: true })
  }

  say(what: string): void {
    this.log.push(`${String(this.time.monotonic).padStart(8)} ms  ${what}`)
    if (this.log.length > 5000) this.log.shift()
  }
}
