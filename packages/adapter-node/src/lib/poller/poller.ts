import { setTimeout as delay } from 'node:timers/promises'
import type { Engine, Logger } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { type Claim, type LaneRef, OutboxError } from '@keepsend/outbox'
import { HostSlots } from './host-slots.ts'
import type { InFlightClaim, Lane } from './lane.ts'
import { renewLeases } from './lease-renewal.ts'
import { type Choice, LaneWatch, WATCH_MS } from './lane-watch.ts'
import { type Finished, InFlight, type InFlightOptions } from './in-flight.ts'
import { PollTrigger } from './poll-trigger.ts'
import { releaseClaims } from './release-claims.ts'
import { ResumeTimer, leavesHeld } from './resume-timer.ts'

export interface PollerOptions extends Omit<InFlightOptions, 'hosts' | 'clock'> {
  slotsPerHost: number
  leaseMs: number
  pollMs: number
  /** See {@link PollTrigger}. */
  version: (() => number) | undefined
  /** Called when the database reports `storage_unsafe`: retrying would do harm, so the poller has ended. */
  onUnsafe: (error: OutboxError) => void
}

const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5000
const NOTHING: Choice = { lanes: [], due: 0 }
const LATE = 'lease nearly expired before delivery started (database or process stalled)'

/**
 * Claims, delivers and settles. For the states of a claim see {@link InFlight}. The states of its one loop, `#run`:
 *
 * ```text
 *   state    does                                          goes on to
 *   wait     nothing, until a PollTrigger                  look, settle or back to wait
 *   look     reads which lanes have rows (LaneWatch)       settle + claim
 *   settle   one commit: records the finished outcomes     start; failed: back off for 100 ms–5 s, then look
 *   + claim  and claims each lane's share of the slots     storage_unsafe: ended
 *   start    admits the claims and starts attempts         wait, or look while a claim found rows
 * ```
 *
 * An attempt that ends starts the next claim and triggers a settle: none waits for another. Timers renew leases.
 * `stop` moves `running` to `draining` (settles, claims nothing, ends with the last claim), and after `drainMs` to `ended`.
 */
export class Poller {
  readonly #engine: Engine
  readonly #options: PollerOptions
  readonly #logger: Logger
  readonly #inFlight: InFlight
  readonly #laneWatch: LaneWatch
  readonly #trigger: PollTrigger
  readonly #resumeTimer: ResumeTimer
  readonly #ended = new AbortController()
  readonly #loop: Promise<void>
  readonly #heartbeat: NodeJS.Timeout
  readonly #watch: NodeJS.Timeout
  /** A claim starts within this of the query that claimed or renewed it: a lease less one heartbeat, in time for the next renewal. */
  readonly #beginWithinMs: number
  #slotTimer: NodeJS.Timeout | undefined
  #phase: 'running' | 'draining' | 'ended' = 'running'
  /** The database's clock minus our monotonic clock, so that a wrong local time does no harm. */
  #clockOffset = 0

  /** Starts immediately. Rows left by an earlier process are due, or will be when their leases expire. */
  constructor(engine: Engine, options: PollerOptions) {
    this.#engine = engine
    this.#options = options
    this.#logger = engine.logger
    this.#inFlight = new InFlight({
      ...options,
      hosts: new HostSlots(options.slotsPerHost),
      clock: () => performance.now(),
    })
    this.#trigger = new PollTrigger(options.version, options.pollMs)
    this.#trigger.start()
    this.#laneWatch = new LaneWatch(engine.db, this.#inFlight, this.#trigger)
    this.#resumeTimer = new ResumeTimer(engine, options.pollMs, (lane) => this.kick(lane))
    const heartbeatMs = Math.floor(options.leaseMs / 3)
    this.#heartbeat = setInterval(
      () => void renewLeases(engine, this.#inFlight, options.leaseMs, this.#beginWithinMs),
      heartbeatMs,
    )
    this.#beginWithinMs = options.leaseMs - heartbeatMs
    this.#watch = setInterval(() => this.#watchSlots(), WATCH_MS)
    this.#loop = this.#run()
  }

  /** Looks for rows to deliver: in this lane, or anywhere. */
  kick(lane?: LaneRef): void {
    if (!lane) this.#trigger.kick()
    else {
      this.#laneWatch.claimSoon(lane)
      this.#trigger.settle()
    }
  }

  /** Claims nothing more, lets attempts finish for `drainMs`, settles, and releases the claims that still run. */
  async stop(drainMs: number): Promise<void> {
    this.#phase = 'draining'
    this.#trigger.kick()
    const end = setTimeout(() => this.#end(), drainMs)
    await this.#release(this.#inFlight.dropWaiting())
    await this.#loop
    clearTimeout(end)
    this.#end()
    clearInterval(this.#heartbeat)
    clearInterval(this.#watch)
    clearTimeout(this.#slotTimer)
    await this.#resumeTimer.stop()
    this.#trigger.stop()
    await this.#release(this.#inFlight.dropAll())
  }

  #end(): void {
    this.#phase = 'ended'
    this.#ended.abort()
    this.#trigger.kick()
  }

  async #run(): Promise<void> {
    let more = true
    let backoffMs = 0
    while (this.#phase !== 'ended') {
      const { finished } = this.#inFlight
      if (this.#phase === 'draining' && this.#inFlight.claims.length === 0) return
      const claimNow =
        this.#hasRoom && (this.#laneWatch.hasNews || ((more || this.#laneWatch.isDue) && finished.length === 0))
      const settleNow = this.#inFlight.groupIsReady || (this.#trigger.settleIsDue && finished.length > 0)
      if (!claimNow && !settleNow) {
        await this.#trigger.wait()
        continue
      }
      try {
        more = await this.#round()
        backoffMs = 0
      } catch (error) {
        if (error instanceof OutboxError && error.code === 'storage_unsafe') {
          this.#options.onUnsafe(error)
          return
        }
        more = true
        backoffMs = Math.min(MAX_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, backoffMs * 2))
        this.#logger.error({ ...errorFields(error), backoffMs }, 'database error; retrying')
        await delay(backoffMs, undefined, { signal: this.#ended.signal }).catch(() => undefined)
      }
      // Outcomes that arrived during the round, or were refused by it, triggered a settle before we waited: re-arm the timer.
      if (this.#inFlight.finished.length > 0) this.#trigger.gather()
    }
  }

  get #hasRoom(): boolean {
    const { rows, lent } = this.#inFlight.room
    return this.#phase === 'running' && rows + lent > 0
  }

  /** Look, settle + claim, start. Returns whether there may be more rows to claim. */
  async #round(): Promise<boolean> {
    this.#laneWatch.hintRefilled()
    const { lanes, due } = this.#hasRoom ? await this.#laneWatch.choose() : NOTHING
    const finished = [...this.#inFlight.finished]
    // Held rows become due with a settle that claims, also if it claims none.
    const refills = this.#laneWatch.hintRefilled()
    const claim = refills || lanes.length + due > 0 ? { lanes, due, leaseMs: this.#options.leaseMs } : undefined
    if (finished.length === 0 && !claim) return false
    this.#trigger.settleBegins()
    const beginBy = performance.now() + this.#beginWithinMs
    const { results, claimed, storageError } = await this.#engine.worker.settleEach(finished, { claim })
    this.#trigger.settleEnds()
    // Unsettled outcomes stay finished and are retried; those whose row another session locks are retried later.
    const settled = results.filter(({ settle }) => settle !== 'unsettled' && settle !== 'locked')
    this.#inFlight.settled(settled.map((one) => one.finished))
    for (const { settle, finished: one, retryAfterMs } of results) {
      if (settle === 'locked') this.#park(one, retryAfterMs ?? 0)
    }
    if (storageError !== undefined) throw storageError
    const { claims, exhausted } = claimed
    this.#engine.worker.noteClaim(claimed)
    const [first] = claims
    if (first) this.#clockOffset = first.claimedAt - performance.now()
    const refused = this.#inFlight.add(claims, await this.#engine.worker.admit(claims), beginBy)
    for (const [lane, inMs] of refused) setTimeout(() => this.#allowClaims(lane), inMs).unref()
    if (this.#phase === 'running') {
      this.#fillSlots()
      this.#inFlight.releaseOverflow()
    } else await this.#release(this.#inFlight.dropWaiting())
    this.#noteSettled(finished)
    return claim ? this.#laneWatch.took({ lanes, due }, claims, exhausted.length) : true
  }

  /** Clears a flag instead of comparing times: a timer that fires early would leave the lane refused until the safety poll. */
  #allowClaims(lane: Lane): void {
    lane.isRefused = false
    this.kick(lane)
  }

  /** Another session locks its row: its settle is retried later, and everything else goes on. */
  #park(one: Finished, retryAfterMs: number): void {
    this.#inFlight.park(one)
    const unpark = (): void => {
      this.#inFlight.unpark(one)
      this.#trigger.settle()
    }
    setTimeout(unpark, Math.max(WATCH_MS, retryAfterMs)).unref()
  }

  /** After a settle its row may be due again, and rows of its endpoint may be held. */
  #noteSettled(finished: readonly Finished[]): void {
    if (finished.some(({ outcome }) => leavesHeld(outcome))) this.#resumeTimer.runSoon()
    for (const { outcome } of finished) if (outcome.kind === 'reschedule') this.#trigger.alsoDue(outcome.delayMs)
  }

  /** Starts waiting claims in the free slots. */
  #fillSlots(): void {
    const late: Claim[] = []
    for (let next = this.#inFlight.next(); next; next = this.#inFlight.next()) {
      if (performance.now() < next.beginBy) this.#start(next)
      else late.push(this.#inFlight.drop(next))
    }
    if (late.length > 0) void this.#release(late, LATE)
    const { nextSlotTimeMs } = this.#inFlight
    if (nextSlotTimeMs === undefined) return
    clearTimeout(this.#slotTimer)
    this.#slotTimer = setTimeout(() => {
      this.#fillSlots()
      if (this.#inFlight.releaseOverflow()) this.#trigger.settle()
    }, nextSlotTimeMs)
  }

  /** Lends slots beside those of endpoints that have become silent, and releases claims that waited too long. */
  #watchSlots(): void {
    if (this.#phase !== 'running' || this.#inFlight.claims.length === 0) return
    this.#fillSlots()
    if (this.#inFlight.releaseOverflow() || (this.#laneWatch.isDue && this.#hasRoom)) this.#trigger.settle()
  }

  #start(inFlight: InFlightClaim): void {
    const now = performance.now() + this.#clockOffset
    void this.#engine.worker.deliver(inFlight.claim, now, { admitted: inFlight.notBefore > 0 }).then((outcome) => {
      if (!this.#inFlight.has(inFlight)) return
      this.#inFlight.finish(inFlight, outcome)
      this.#fillSlots()
      if (this.#inFlight.groupIsReady) this.#trigger.settle()
      else this.#trigger.gather()
    })
  }

  /** A released claim may still run; its late outcome is ignored, as the database would reject it. */
  async #release(claims: readonly Claim[], why = 'stopping'): Promise<void> {
    if (await releaseClaims(this.#engine, claims, why)) this.kick()
  }
}
