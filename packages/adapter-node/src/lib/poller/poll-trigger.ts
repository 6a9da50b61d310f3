/**
 * Why a poller that found nothing looks again: a kick, the next due time, another process's commit, or the safety
 * poll. A wake-up that comes while the poller is busy is not lost: `count` tells that it came.
 */
export class PollTrigger {
  readonly #version: (() => number) | undefined
  readonly #pollMs: number
  #lastVersion = 0
  #timer: NodeJS.Timeout | undefined
  #dueAt = Infinity
  #watch: NodeJS.Timeout | undefined
  #settleTimer: NodeJS.Timeout | undefined
  #waiting: (() => void) | undefined
  #count = 0
  /** The moment that outcomes wait for one another is over. */
  settleIsDue = false

  /** @param version changes when another process has committed; looked at every 25 ms, for a microsecond or two */
  constructor(version: (() => number) | undefined, pollMs: number) {
    this.#version = version
    this.#pollMs = pollMs
  }

  get count(): number {
    return this.#count
  }

  /** It hears of what other processes publish. */
  get hearsOthers(): boolean {
    return this.#version !== undefined
  }

  start(): void {
    if (!this.#version) return
    this.#lastVersion = this.#readVersion()
    this.#watch = setInterval(() => this.#lookAtVersion(), WATCH_MS)
  }

  stop(): void {
    clearInterval(this.#watch)
    clearTimeout(this.#timer)
    this.settled()
  }

  kick(): void {
    this.#count++
    this.#signal()
  }

  /** Ends a wait without asking for a new look at the database. */
  #signal(): void {
    const wake = this.#waiting
    this.#waiting = undefined
    wake?.()
  }

  /** An attempt has finished: settle now, or within `inMs` together with what finishes until then. */
  settle(inMs: number): void {
    if (inMs === 0) this.#signal()
    else {
      this.#settleTimer ??= setTimeout(() => {
        this.settleIsDue = true
        this.#signal()
      }, inMs)
    }
  }

  /** A settle has begun: the next outcome starts a moment of its own. */
  settled(): void {
    clearTimeout(this.#settleTimer)
    this.#settleTimer = undefined
    this.settleIsDue = false
  }

  /** Looks again when the next row is due, at the latest after the safety poll. */
  setDue(inMs: number): void {
    clearTimeout(this.#timer)
    const ms = Math.min(this.#pollMs, Math.max(1, Math.ceil(inMs)))
    this.#dueAt = performance.now() + ms
    this.#timer = setTimeout(() => this.kick(), ms)
  }

  /** Another row is due as well: looks again no later than then. */
  alsoDue(inMs: number): void {
    if (performance.now() + inMs < this.#dueAt) this.setDue(inMs)
  }

  /** Resolves at the next kick or settle. What came before the call is in {@link count} and {@link settleIsDue}. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  /** In a timer nobody would catch what it throws; the next claim meets the same error and reports it. */
  #readVersion(): number {
    try {
      return this.#version?.() ?? 0
    } catch {
      return this.#lastVersion
    }
  }

  #lookAtVersion(): void {
    const version = this.#readVersion()
    if (version === this.#lastVersion) return
    this.#lastVersion = version
    this.kick()
  }
}

const WATCH_MS = 25
