import { syncBuiltinESMExports } from 'node:module'
import timersPromises from 'node:timers/promises'

/** Who a timer, an immediate or a request belongs to: a process of the simulated world. */
export interface Owner {
  /** Nothing of it runs any more. */
  dead: boolean
  /** Nothing of it runs until then, on the monotonic clock. */
  pausedUntil: number
}

interface Timer {
  at: number
  owner: Owner
  callback: () => void
  everyMs: number | undefined
}

/**
 * A clock that stands still until it is moved, in place of Node's timers, `performance.now` and `Date.now`. The
 * product reads them as ever. Both clocks are in whole milliseconds: the monotonic one, and the machine's time of day,
 * which a fault may turn forward or back.
 */
export class VirtualTime {
  monotonic = 0
  timeOfDay: number
  /** By how much the time of day was ahead of the monotonic clock, and from when on. */
  readonly #leads: { from: number; ms: number }[]
  readonly #owner: () => Owner
  readonly #timers = new Set<Timer>()
  readonly #real = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate }
  readonly #realDelay = timersPromises.setTimeout
  readonly #realNow = Date.now

  /** @param owner whoever runs just now */
  constructor(timeOfDay: number, owner: () => Owner) {
    this.timeOfDay = timeOfDay
    this.#leads = [{ from: 0, ms: timeOfDay }]
    this.#owner = owner
  }

  /** Puts the clock in place; returns how to take it away. */
  install(): () => void {
    const after = (callback: () => void, ms = 0): Timer => this.#add(callback, ms, undefined)
    const every = (callback: () => void, ms = 0): Timer => this.#add(callback, ms, ms)
    const clear = (timer: Timer | undefined): void => void (timer && this.#timers.delete(timer))
    Object.assign(globalThis, {
      setTimeout: after,
      setInterval: every,
      setImmediate: (callback: () => void) => after(callback),
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
    })
    const delay = (ms: number, value: unknown, { signal }: { signal?: AbortSignal } = {}): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const timer = after(() => resolve(value), ms)
        signal?.addEventListener('abort', () => {
          clear(timer)
          reject(signal.reason as Error)
        })
      })
    Object.assign(timersPromises, { setTimeout: delay })
    syncBuiltinESMExports()
    Object.defineProperty(performance, 'now', { value: () => this.monotonic, configurable: true })
    Date.now = () => this.timeOfDay
    return () => {
      Object.assign(globalThis, this.#real)
      Object.assign(timersPromises, { setTimeout: this.#realDelay })
      syncBuiltinESMExports()
      // What stands on the prototype is seen again.
      Reflect.deleteProperty(performance, 'now')
      Date.now = this.#realNow
    }
  }

  /** Moves on, by that much, whatever is due. */
  pass(ms: number): void {
    this.monotonic += ms
    this.timeOfDay += ms
  }

  /** The machine's time of day is set. */
  jump(ms: number): void {
    this.timeOfDay += ms
    this.#leads.push({ from: this.monotonic, ms: this.timeOfDay - this.monotonic })
  }

  /** The latest time of day that anybody may go by who has read the clock since then, or reckons from such a reading. */
  latestSince(monotonic: number): number {
    const leads = this.#leads.filter((_, index) => (this.#leads[index + 1]?.from ?? Infinity) >= monotonic)
    return this.monotonic + Math.max(...leads.map(({ ms }) => ms))
  }

  /** What is due and may run, each at its place in time. */
  due(): { owner: Owner; run: () => void }[] {
    const due = [...this.#timers].filter(({ at, owner }) => at <= this.monotonic && this.mayRun(owner))
    return due
      .sort((one, other) => one.at - other.at)
      .map((timer) => ({ owner: timer.owner, run: () => this.#fire(timer) }))
  }

  /** When the next timer is due, or a paused owner goes on. */
  next(): number | undefined {
    let next: number | undefined
    for (const { at, owner } of this.#timers) {
      if (owner.dead) continue
      const time = Math.max(at, owner.pausedUntil)
      if (next === undefined || time < next) next = time
    }
    return next
  }

  mayRun(owner: Owner): boolean {
    return !owner.dead && owner.pausedUntil <= this.monotonic
  }

  /** Its timers are gone with it. */
  forget(owner: Owner): void {
    for (const timer of this.#timers) if (timer.owner === owner) this.#timers.delete(timer)
  }

  #add(callback: () => void, ms: number, everyMs: number | undefined): Timer {
    const owner = this.#owner()
    const timer = { at: this.monotonic + Math.max(0, Math.ceil(ms)), owner, callback, everyMs }
    if (!owner.dead) this.#timers.add(timer)
    return timer
  }

  #fire(timer: Timer): void {
    if (timer.everyMs === undefined) this.#timers.delete(timer)
    // A process that slept gets one tick, not all that it missed.
    else timer.at = Math.max(timer.at + timer.everyMs, this.monotonic + 1)
    timer.callback()
  }
}
