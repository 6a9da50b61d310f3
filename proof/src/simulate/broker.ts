import type { QueueBatch, QueueBinding, QueueMessage } from '@keepsend/adapter-cloudflare'
import type { Choice } from './story.ts'
import type { Process, World } from './world.ts'

interface Kept {
  body: unknown
  attempts: number
  /** Delayed until this time, on the monotonic clock. */
  at: number
  dead: boolean
}

// The platform's limit is a hundred; lower here, so that there are dead letters.
const MAX_DELIVERIES = 5
const MAX_BATCH = 3

/** The platform's queue: at least once, in any order, and with faults. */
export class Broker {
  readonly #world: World
  #messages: Kept[] = []
  readonly #carried = new Map<Kept, Process>()

  constructor(world: World) {
    this.#world = world
  }

  get waiting(): number {
    return this.#available().length
  }

  get atRest(): boolean {
    return this.#messages.length === 0 && this.#carried.size === 0
  }

  next(): number | undefined {
    return this.#messages.reduce<number | undefined>((least, { at }) => Math.min(least ?? at, at), undefined)
  }

  /** The producer binding of an isolate. */
  binding(): QueueBinding {
    return {
      sendBatch: (messages) =>
        new Promise((resolve, reject) => {
          const sent = [...messages].map(({ body, delaySeconds = 0 }) => {
            return { body, attempts: 0, at: this.#world.time.monotonic + delaySeconds * 1000, dead: false }
          })
          this.#world.put({
            label: `${sent.length} messages are sent`,
            owner: undefined,
            run: (choice) => this.#accept(sent, choice, resolve, reject),
          })
        }),
    }
  }

  /** A batch for this process; `end` is called when its consumer has ended. */
  bring(process: Process, choice: Choice): { queue: 'live' | 'dead'; batch: QueueBatch; end: () => void } {
    const [first] = this.#available()
    const dead = first?.dead ?? false
    const waiting = this.#available().filter((one) => one.dead === dead)
    const batch: Kept[] = []
    for (let left = Math.min(MAX_BATCH, 1 + choice.below(MAX_BATCH)); left > 0 && waiting.length > 0; left--) {
      batch.push(...waiting.splice(choice.below(waiting.length), 1))
    }
    this.#messages = this.#messages.filter((one) => !batch.includes(one))
    const fates = new Map<Kept, 'ack' | number>()
    const messages = batch.map((one): QueueMessage => {
      one.attempts++
      this.#carried.set(one, process)
      const decide = (fate: 'ack' | number): void => void (fates.has(one) || fates.set(one, fate))
      return {
        body: one.body,
        attempts: one.attempts,
        ack: () => decide('ack'),
        retry: ({ delaySeconds = 0 } = {}) => decide(delaySeconds * 1000),
      }
    })
    const end = (): void => {
      for (const one of batch) {
        this.#carried.delete(one)
        const fate = fates.get(one) ?? 'ack'
        if (fate !== 'ack') this.#back(one, fate)
      }
    }
    return { queue: dead ? 'dead' : 'live', batch: { queue: 'keepsend', messages }, end }
  }

  /** Returns a dead process' messages to the queue, the acknowledged ones included. */
  take(process: Process): void {
    for (const [one, carrier] of this.#carried) {
      if (carrier !== process) continue
      this.#carried.delete(one)
      this.#back(one, 0)
    }
  }

  lose(choice: Choice): void {
    const lost = choice.of(this.#messages)
    if (lost) this.#world.say('a message is lost')
    this.#messages = this.#messages.filter((one) => one !== lost)
  }

  /** Adds a second copy of a message that waits or is being consumed. */
  repeat(choice: Choice): void {
    const one = choice.of([...this.#carried.keys(), ...this.#messages])
    if (!one) return
    this.#world.say('a message comes twice')
    this.#messages.push({ ...one, at: this.#world.time.monotonic })
  }

  #available(): Kept[] {
    return this.#messages.filter(({ at }) => at <= this.#world.time.monotonic)
  }

  #back(one: Kept, delayMs: number): void {
    const dead = one.dead || one.attempts >= MAX_DELIVERIES
    this.#messages.push({ ...one, at: this.#world.time.monotonic + delayMs, dead })
  }

  #accept(sent: readonly Kept[], choice: Choice, resolve: (answer: undefined) => void, reject: (error: Error) => void) {
    const faults = (['queue refuses', 'queue does not answer', 'message is lost'] as const).filter((fault) =>
      this.#world.has(fault),
    )
    const fate = choice.mostly('well', faults)
    if (fate === 'queue refuses') {
      reject(new Error('Too Many Requests'))
      return
    }
    if (fate !== 'message is lost') this.#messages.push(...sent)
    if (fate !== 'queue does not answer') resolve(undefined)
  }
}
