import { setTimeout as delay } from 'node:timers/promises'
import { type Engine, type Logger, logExhausted } from '@keepsend/engine'
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
  /** Trying again would do harm: the poller has ended. */
  onUnsafe: (error: OutboxError) => void
}

const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5000
// How long the first outcome of a group waits for others: nothing to a receiver, and an fsync shared by more.
const GROUP_MS = 10
const NOTHING: Choice = { lanes: [], due: 0 }

/**
 * The life of a claim here:
 *
 * ```text
 *   claimed ──► waiting ──► running ──► finished ──► settled (committed): out of hand
 *      │           │           │            │ commit refused: stays finished, tried again
 *      └───────────┴───────────┴── stop ────┴──► released, or settled if it finished in time
 * ```
 *
 * Its lease is renewed all along. One loop does the rest: look which lanes have rows; settle what has finished, and claim
 * of each lane its share of the slots, in one commit; start what was claimed; wait for outcomes or a reason to look again.
 * No attempt waits for another's answer: the slowest receiver holds one slot.
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
  /** From the question on that brought a claim or renewed it. One heartbeat less than a lease, or it ends unrenewed. */
  readonly #beginWithinMs: number
  #slotTimer: NodeJS.Timeout | undefined
  #phase: 'running' | 'draining' | 'ended' = 'running'
  /** The database's clock less our monotonic one: with it, a wrong local time does no harm. */
  #clockOffset = 0

  /** Starts at once: whatever an earlier process left is due, or will be when its lease ends. */
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
    this.#watch = setInterval(() => this.#lookAtSlots(), WATCH_MS)
    this.#loop = this.#run()
  }

  /** There are rows to deliver: in this lane, or anywhere. */
  kick(lane?: LaneRef): void {
    if (!lane) this.#trigger.kick()
    else {
      this.#laneWatch.tell(lane)
      this.#trigger.settle(0)
    }
  }

  /** Claims nothing more, lets attempts finish for `drainMs`, settles, and gives back what still runs. */
  async stop(drainMs: number): Promise<void> {
    this.#phase = 'draining'
    this.#trigger.kick()
    const end = setTimeout(() => this.#end(), drainMs)
    await this.#giveBack(this.#inFlight.dropWaiting())
    await this.#loop
    clearTimeout(end)
    this.#end()
    clearInterval(this.#heartbeat)
    clearInterval(this.#watch)
    clearTimeout(this.#slotTimer)
    await this.#resumeTimer.stop()
    this.#trigger.stop()
    await this.#giveBack(this.#inFlight.dropAll())
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
      // What is new is claimed at once. What has finished waits for its neighbours, a moment at most.
      const claimNow =
        this.#hasRoom && (this.#laneWatch.hasNews || ((more || this.#laneWatch.isDue) && finished.length === 0))
      const settleNow = this.#inFlight.groupIsReady || (this.#trigger.settleIsDue && finished.length > 0)
      if (!claimNow && !settleNow) {
        await this.#trigger.wait()
        continue
      }
      try {
        more = await this.#turn()
        backoffMs = 0
      } catch (error) {
        if (error instanceof OutboxError && error.code === 'storage_unsafe') {
          this.#options.onUnsafe(error)
          return
        }
        more = true
        backoffMs = Math.min(MAX_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, backoffMs * 2))
        this.#logger.error({ ...errorFields(error), backoffMs }, 'the database refused; trying again')
        await delay(backoffMs, undefined, { signal: this.#ended.signal }).catch(() => undefined)
      }
      // Whatever finished during the turn, or was refused by it, has asked for its settle too early to be heard.
      if (this.#inFlight.finished.length > 0) this.#trigger.settle(GROUP_MS)
    }
  }

  get #hasRoom(): boolean {
    const { rows, lent } = this.#inFlight.room
    return this.#phase === 'running' && rows + lent > 0
  }

  /** One commit: settles, and claims. Says whether there may be more to claim. */
  async #turn(): Promise<boolean> {
    const { lanes, due } = this.#hasRoom ? await this.#laneWatch.choose() : NOTHING
    const claim = lanes.length + due > 0 ? { lanes, due, leaseMs: this.#options.leaseMs } : undefined
    const finished = [...this.#inFlight.finished]
    if (finished.length === 0 && !claim) return false
    this.#trigger.settled()
    const beginBy = performance.now() + this.#beginWithinMs
    const { results, claimed, storageError } = await this.#engine.worker.settleEach(finished, { claim })
    // What is unsettled stays finished, to be tried again; so does what another session holds locked, after a while.
    this.#inFlight.settled(
      results.flatMap((one) => (one.settle === 'unsettled' || one.settle === 'locked' ? [] : one.finished)),
    )
    for (const { settle, finished: one, retryAfterMs } of results) {
      if (settle === 'locked') this.#park(one, retryAfterMs ?? 0)
    }
    if (storageError !== undefined) throw storageError
    const { claims, exhausted } = claimed
    logExhausted(this.#logger, exhausted)
    const [first] = claims
    if (first) this.#clockOffset = first.claimedAt - performance.now()
    const again = this.#inFlight.add(claims, await this.#engine.worker.admit(claims), beginBy)
    for (const [lane, inMs] of again) setTimeout(() => this.#askAgain(lane), inMs).unref()
    if (this.#phase === 'running') {
      this.#fill()
      this.#inFlight.releaseOverflow()
    } else await this.#giveBack(this.#inFlight.dropWaiting())
    this.#hear(finished)
    return claim ? this.#laneWatch.took({ lanes, due }, claims, exhausted.length) : true
  }

  /** By the timer, not by a time that it might fire before: then nothing would ask again until the safety poll. */
  #askAgain(lane: Lane): void {
    lane.isRefused = false
    this.kick(lane)
  }

  /** Another session holds its row: it is settled later, while everything else goes on. */
  #park(one: Finished, retryAfterMs: number): void {
    this.#inFlight.park(one)
    const inMs = Math.max(WATCH_MS, retryAfterMs)
    setTimeout(() => {
      this.#inFlight.unpark(one)
      this.#trigger.settle(0)
    }, inMs).unref()
  }

  /** What is settled may be due again, have left rows held for a time, or have resumed others in its place. */
  #hear(finished: readonly Finished[]): void {
    if (finished.some(({ outcome }) => leavesHeld(outcome))) this.#resumeTimer.look()
    for (const { held, outcome } of finished) {
      if (outcome.kind === 'reschedule') this.#trigger.alsoDue(outcome.delayMs)
      if (outcome.kind === 'release' || outcome.attempt?.makesRoom) this.#laneWatch.hint(held.lane)
    }
  }

  /** Starts what waits, as far as slots are free. */
  #fill(): void {
    const late: Claim[] = []
    for (let held = this.#inFlight.next(); held; held = this.#inFlight.next()) {
      if (performance.now() < held.beginBy) this.#start(held)
      else late.push(this.#inFlight.drop(held))
    }
    if (late.length > 0) void this.#giveBack(late, 'came too late to begin: the database or this process stood still')
    const { nextSlotTimeMs } = this.#inFlight
    if (nextSlotTimeMs === undefined) return
    clearTimeout(this.#slotTimer)
    this.#slotTimer = setTimeout(() => {
      this.#fill()
      if (this.#inFlight.releaseOverflow()) this.#trigger.settle(0)
    }, nextSlotTimeMs)
  }

  /** What waits in vain goes back in line, and slots are lent beside those of silent endpoints. */
  #lookAtSlots(): void {
    if (this.#phase !== 'running' || this.#inFlight.claims.length === 0) return
    this.#fill()
    if (this.#inFlight.releaseOverflow() || (this.#laneWatch.isDue && this.#hasRoom)) this.#trigger.settle(0)
  }

  #start(held: InFlightClaim): void {
    const now = performance.now() + this.#clockOffset
    void this.#engine.worker.deliver(held.claim, now, { admitted: held.notBefore > 0 }).then((outcome) => {
      if (!this.#inFlight.has(held)) return
      this.#inFlight.finish(held, outcome)
      this.#fill()
      this.#trigger.settle(this.#inFlight.groupIsReady ? 0 : GROUP_MS)
    })
  }

  /** What still runs may have arrived; its late outcome is dropped, as the database would. */
  async #giveBack(claims: readonly Claim[], why = 'stopping'): Promise<void> {
    if (await releaseClaims(this.#engine, claims, why)) this.kick()
  }
}
