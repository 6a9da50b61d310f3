import { type Placed, SwapRemoveSet } from '../swap-remove-set.ts'

/** Calls `expire` at a time unless it is cancelled before. */
export interface Deadline extends Placed {
  at: number
  readonly expire: () => void
}

/** Well within the half second by which an attempt may overrun its deadline. */
const TICK_MS = 50

/** One timer for all deadlines: a timer (or an AbortSignal.timeout) for each request costs a fifth of the throughput. */
export class Deadlines {
  readonly #waiting = new SwapRemoveSet<Deadline>()
  #timer: NodeJS.Timeout | undefined

  /** Calls `expire` once, `ms` from now at the earliest. */
  add(ms: number, expire: () => void): Deadline {
    const deadline = { at: performance.now() + ms, expire, place: -1 }
    this.#waiting.add(deadline)
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
    return deadline
  }

  /** Moves the deadline to `ms` from now, if that is earlier. */
  advance(deadline: Deadline, ms: number): void {
    deadline.at = Math.min(deadline.at, performance.now() + ms)
  }

  cancel(deadline: Deadline): void {
    this.#waiting.remove(deadline)
    if (this.#waiting.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #tick(): void {
    const now = performance.now()
    for (const deadline of this.#waiting.items) {
      if (deadline.at > now) continue
      // If the process itself stalled, a response may lie unread in the socket: two more event-loop ticks read it (without
      // them, 6 of 6 accepted posts were recorded as time-outs).
      setImmediate(() =>
        setImmediate(() => {
          if (!this.#waiting.has(deadline)) return
          this.cancel(deadline)
          deadline.expire()
        }),
      )
    }
  }
}
