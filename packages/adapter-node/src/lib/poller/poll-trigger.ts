// The version is read this often; a read takes a microsecond or two.
const VERSION_EVERY_MS = 25
// How long the first outcome of a group waits for others, so that more outcomes share a commit: twice as long as the last
// commit took, within these bounds. On SQLite no attempt ends during a commit, so commits take at most a third of the time. On
// Postgres the wait may begin, and end, during the commit before. No receiver notices it. Where a wait of 10 ms ended the group,
// a commit that took as long (with history, or on a slow disk) made the groups half as large.
const MIN_GATHER_MS = 10
const MAX_GATHER_MS = 50

/**
 * The reasons for an idle poller to look again: a kick, the next due time, another process's commit, or the safety poll. A
 * trigger that comes while the poller is busy is not lost: it increments `count`.
 */
export class PollTrigger {
  readonly #version: (() => number) | undefined
  readonly #pollMs: number
  #lastVersion = 0
  #timer: NodeJS.Timeout | undefined
  #dueAt = Infinity
  #watch: NodeJS.Timeout | undefined
  #settleTimer: NodeJS.Timeout | undefined
  #settleBegan = 0
  #gatherMs = MIN_GATHER_MS
  #waiting: (() => void) | undefined
  #count = 0
  /** The time for outcomes to gather is over. */
  settleIsDue = false

  /** @param version changes when another process has committed */
  constructor(version: (() => number) | undefined, pollMs: number) {
    this.#version = version
    this.#pollMs = pollMs
  }

  get count(): number {
    return this.#count
  }

  /** The database signals commits of other processes. */
  get seesOtherCommits(): boolean {
    return this.#version !== undefined
  }

  start(): void {
    if (!this.#version) return
    this.#lastVersion = this.#readVersion()
    this.#watch = setInterval(() => this.#checkVersion(), VERSION_EVERY_MS)
  }

  stop(): void {
    clearInterval(this.#watch)
    clearTimeout(this.#timer)
    this.#clearSettle()
  }

  kick(): void {
    this.#count++
    this.#signal()
  }

  /** Ends a wait without asking for a new look at the database. */
  #signal(): void {
    const resolve = this.#waiting
    this.#waiting = undefined
    resolve?.()
  }

  /** Ends the wait to settle immediately. */
  settle(): void {
    this.#signal()
  }

  /** Ends the wait to settle once more outcomes have had time to arrive. */
  gather(): void {
    this.#settleTimer ??= setTimeout(() => {
      this.settleIsDue = true
      this.#signal()
    }, this.#gatherMs)
  }

  /** A settle has begun: cancels the timer; the next outcome starts another. */
  settleBegins(): void {
    this.#settleBegan = performance.now()
    this.#clearSettle()
  }

  /** The next group gathers for a time that fits how long this settle took. */
  settleEnds(): void {
    const tookMs = performance.now() - this.#settleBegan
    this.#gatherMs = Math.max(MIN_GATHER_MS, Math.min(MAX_GATHER_MS, 2 * tookMs))
  }

  #clearSettle(): void {
    clearTimeout(this.#settleTimer)
    this.#settleTimer = undefined
    this.settleIsDue = false
  }

  /** Looks again when the next row is due, at the latest after `pollMs`. */
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

  /** Resolves at the next kick or settle. Earlier ones show in {@link count} and {@link settleIsDue}. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  /** Ignores errors, which a timer cannot report; the next claim meets the same error and logs it. */
  #readVersion(): number {
    try {
      return this.#version?.() ?? 0
    } catch {
      return this.#lastVersion
    }
  }

  #checkVersion(): void {
    const version = this.#readVersion()
    if (version === this.#lastVersion) return
    this.#lastVersion = version
    this.kick()
  }
}
