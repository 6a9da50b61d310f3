import { syncBuiltinESMExports } from 'node:module'
import timersPromises from 'node:timers/promises'

/** The process of the simulated world that a timer, an immediate or a request belongs to. */
export interface Owner {
  /** Whether it has ended. */
  dead: boolean
  /** It does not run before this time, on the monotonic clock. */
  pausedUntil: number
}

interface Timer {
  at: number
  owner: Owner
  callback: () => void
  everyMs: number | undefined
}

/**
 * A clock that advances only when it is told to, in place of Node's timers, `performance.now` and `Date.now`. Keepsend
 * reads them as always. Both clocks have whole milliseconds: the monotonic clock, and the wall clock, which a fault may
 * set forward or back.
 */
export class VirtualTime {
  monotonic = 0
  timeOfDay: number
  /** The wall clock's lead over the monotonic clock, and since when. */
  readonly #leads: { from: number; ms: number }[]
  readonly #owner: () => Owner
  readonly #timers = new Set<Timer>()
  readonly #real = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate }
  readonly #realDelay = timersPromises.setTimeout
  readonly #realNow = Date.now

  /** @param owner returns the current process */
  constructor(timeOfDay: number, owner: () => Owner) {
    this.timeOfDay = timeOfDay
    this.#leads = [{ from: 0, ms: timeOfDay }]
    this.#owner = owner
  }

  /** Installs the clock; returns a function that removes it. */
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
      // Reveals the function on the prototype again.
      Reflect.deleteProperty(performance, 'now')
      Date.now = this.#realNow
    }
  }

  /** Advances the clock, whatever is due. */
  pass(ms: number): void {
    this.monotonic += ms
    this.timeOfDay += ms
  }

  /** Sets the wall clock. */
  jump(ms: number): void {
    this.timeOfDay += ms
    this.#leads.push({ from: this.monotonic, ms: this.timeOfDay - this.monotonic })
  }

  /** The latest wall clock time that any process can have read or derived since then. */
  latestSince(monotonic: number): number {
    const leads = this.#leads.filter((_, index) => (this.#leads[index + 1]?.from ?? Infinity) >= monotonic)
    return this.monotonic + Math.max(...leads.map(({ ms }) => ms))
  }

  /** Timers that are due and may run, in the order of their time. */
  due(): { owner: Owner; run: () => void }[] {
    const due = [...this.#timers].filter(({ at, owner }) => at <= this.monotonic && this.mayRun(owner))
    return due
      .sort((one, other) => one.at - other.at)
      .map((timer) => ({ owner: timer.owner, run: () => this.#fire(timer) }))
  }

  /** When the next timer is due, or a paused owner continues. */
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

  /** Removes the owner's timers. */
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
