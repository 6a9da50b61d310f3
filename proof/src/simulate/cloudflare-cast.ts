import {
  CloudflareEventQueue,
  type QueuePolicy,
  consumeBatch,
  consumeDeadLetters,
  createQueuePolicy,
  sweep,
} from '@keepsend/adapter-cloudflare'
import { Broker } from './broker.ts'
import type { Cast, Happening } from './cast.ts'
import { disturbAnybody, enableEndpoints } from './disturbances.ts'
import type { Choice, Fault } from './story.ts'
import type { Process, World } from './world.ts'

interface Isolate {
  process: Process
  policy: QueuePolicy
}

const CRON_MS = 60_000

/** Two isolates of a Worker around a queue, a dead-letter queue and a cron. */
export class CloudflareCast implements Cast {
  // The hourly pass finds rows that nothing else finds, and a clock that was wrong may delay it.
  readonly patienceMs = 3 * 3_600_000
  readonly #world: World
  readonly #broker: Broker
  #isolates: Isolate[] = []
  #started = 0
  #cronAt = CRON_MS
  readonly #sweeping = new Map<object, Process>()

  constructor(world: World) {
    this.#world = world
    this.#broker = new Broker(world)
    this.#start()
    this.#start()
  }

  get publishers(): readonly Process[] {
    return this.#isolates.map(({ process }) => process)
  }

  happenings(): readonly Happening[] {
    const all: Happening[] = []
    if (this.#free().length === 0) return all
    if (this.#broker.waiting > 0) all.push({ label: 'a batch is delivered', run: (choice) => this.#bring(choice) })
    if (this.#world.time.monotonic >= this.#cronAt) all.push({ label: 'the cron', run: (choice) => this.#tick(choice) })
    return all
  }

  next(): number {
    return Math.min(this.#cronAt, this.#broker.next() ?? Infinity)
  }

  disturb(fault: Fault, choice: Choice): void {
    const isolate = choice.of(this.#isolates)
    if (!isolate) return
    if (fault === 'process dies' || fault === 'process stops') this.#replace(isolate)
    // Two concurrent crons, or a late one.
    else if (fault === 'queue does not answer') this.#tick(choice)
    else if (fault === 'message is lost') this.#broker.lose(choice)
    else if (fault === 'message comes twice') this.#broker.repeat(choice)
    else disturbAnybody(this.#world, isolate.process, fault, choice)
  }

  calmDown(): void {
    for (const { process } of this.#isolates) process.pausedUntil = 0
    enableEndpoints(this.#world)
  }

  atRest(): boolean {
    return this.#broker.atRest && this.#sweeping.size === 0
  }

  async stop(): Promise<void> {}

  #start(): void {
    const { process, queue } = this.#world.start(`isolate ${++this.#started}`, () => {
      return new CloudflareEventQueue({ queue: this.#broker.binding() })
    })
    this.#isolates.push({ process, policy: createQueuePolicy({ engine: process.engine, queue }) })
  }

  #replace(isolate: Isolate): void {
    this.#world.kill(isolate.process)
    this.#broker.take(isolate.process)
    for (const [tick, process] of this.#sweeping) if (process === isolate.process) this.#sweeping.delete(tick)
    this.#isolates = this.#isolates.filter((one) => one !== isolate)
    this.#start()
  }

  #bring(choice: Choice): void {
    const { process, policy } = choice.of(this.#free()) ?? {}
    if (!process || !policy) return
    const { queue, batch, end } = this.#broker.bring(process, choice)
    const consume = queue === 'dead' ? consumeDeadLetters : consumeBatch
    this.#world.say(`${process.name} receives ${batch.messages.length} of ${queue}`)
    this.#world
      .as(process, () => consume(policy, batch))
      .then(
        () => end(),
        () => this.#world.ledger.break('a consumer never rejects: the whole batch would come back'),
      )
  }

  #tick(choice: Choice): void {
    const { process, policy } = choice.of(this.#free()) ?? {}
    if (!process || !policy) return
    this.#cronAt = this.#world.time.monotonic + CRON_MS
    const tick = {}
    this.#sweeping.set(tick, process)
    this.#world.say(`${process.name} sweeps`)
    const ended = (): void => void this.#sweeping.delete(tick)
    // It rejects with its errors, for the platform to show.
    void this.#world.as(process, () => sweep(policy)).then(ended, ended)
  }

  #free(): Isolate[] {
    return this.#isolates.filter(({ process }) => this.#world.time.mayRun(process))
  }
}
