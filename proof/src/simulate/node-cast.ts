import { DurableEventQueue } from '@keepsend/adapter-node'
import type { Cast } from './cast.ts'
import { disturbAnybody, enableEndpoints } from './disturbances.ts'
import type { Choice, Fault } from './story.ts'
import type { Process, World } from './world.ts'

interface Poller {
  process: Process
  queue: DurableEventQueue
  stopping: boolean
}

/** Two processes of an app on Node, each with its poller, on one database; a process that dies is restarted. */
export class NodeCast implements Cast {
  // The safety poll, a lease, the longest back-off, and a round of maintenance that resumes held rows.
  readonly patienceMs = 120_000
  readonly #world: World
  #pollers: Poller[] = []
  #started = 0

  constructor(world: World) {
    this.#world = world
    this.#start()
    this.#start()
  }

  get publishers(): readonly Process[] {
    return this.#pollers.filter(({ stopping }) => !stopping).map(({ process }) => process)
  }

  happenings(): readonly [] {
    return []
  }

  next(): undefined {
    return undefined
  }

  disturb(fault: Fault, choice: Choice): void {
    const poller = choice.of(this.#pollers)
    if (!poller) return
    if (fault === 'process dies') this.#replace(poller)
    else if (fault === 'process stops' && !poller.stopping) {
      const drainMs = choice.below(3) * 1000
      this.#world.say(`${poller.process.name} stops`)
      poller.stopping = true
      void this.#world.as(poller.process, () => poller.queue.stop({ drainMs })).then(() => this.#replace(poller))
    } else disturbAnybody(this.#world, poller.process, fault, choice)
  }

  calmDown(): void {
    for (const poller of this.#pollers.filter(({ stopping }) => stopping)) this.#replace(poller)
    for (const { process } of this.#pollers) process.pausedUntil = 0
    enableEndpoints(this.#world)
  }

  atRest(): boolean {
    return true
  }

  async stop(): Promise<void> {
    await Promise.all(this.#pollers.map(({ process, queue }) => this.#world.as(process, () => queue.stop())))
  }

  #start(): void {
    const { process, queue } = this.#world.start(`process ${++this.#started}`, (db) => {
      return new DurableEventQueue({ db, concurrency: 2, settleBatch: 3, leaseMs: 3000 })
    })
    this.#pollers.push({ process, queue, stopping: false })
    void this.#world.as(process, () => queue.start(process.engine))
  }

  #replace(poller: Poller): void {
    if (poller.process.dead) return
    this.#world.kill(poller.process)
    this.#pollers = this.#pollers.filter((one) => one !== poller)
    this.#start()
  }
}
