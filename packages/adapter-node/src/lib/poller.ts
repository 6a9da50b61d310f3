import { setTimeout as delay } from 'node:timers/promises'
import { type DeliveryOutcome, type Engine, type Logger, errorFields, logExhausted } from '@keepsend/engine'
import { type Claim, extendLease, nextDueEvent, releaseEvents } from '@keepsend/outbox'
import type { Held } from './lanes.ts'
import { Slots } from './slots.ts'
import { Wake } from './wake.ts'
import { Waker } from './waker.ts'

export interface PollerOptions {
  concurrency: number
  slotsPerEndpoint: number
  settleBatch: number
  leaseMs: number
  pollMs: number
  /** See {@link Wake}. */
  version: (() => number) | undefined
}

const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5000
// How long the first outcome of a group waits for others: nothing to a receiver, and an fsync shared by more.
const GROUP_MS = 10
// How often it is seen whether an endpoint with claims in hand has fallen silent.
const WATCH_MS = 50

/**
 * The life of a claim here:
 *
 * ```text
 *   claimed ──► waiting ──► running ──► finished ──► settled (committed): out of hand
 *      │           │           │            │ commit refused: stays finished, tried again
 *      └───────────┴───────────┴── stop ────┴──► released, or settled if it finished in time
 * ```
 *
 * Its lease is renewed all along. One loop does the rest: settle what has finished and claim for the slots that this
 * frees, in one commit; start what was claimed; wait for outcomes or a reason to look again. No attempt waits for
 * another's answer: the slowest receiver holds one slot.
 */
export class Poller {
  readonly #engine: Engine
  readonly #options: PollerOptions
  readonly #logger: Logger
  readonly #slots: Slots
  readonly #wake: Wake
  readonly #waker: Waker
  readonly #ended = new AbortController()
  readonly #loop: Promise<void>
  readonly #heartbeat: NodeJS.Timeout
  readonly #watch: NodeJS.Timeout
  /** From the question on that brought a claim or renewed it. One heartbeat less than a lease, or it ends unrenewed. */
  readonly #beginWithinMs: number
  #moment: NodeJS.Timeout | undefined
  #phase: 'running' | 'draining' | 'ended' = 'running'
  /** The database's clock less our monotonic one: with it, a wrong local time does no harm. */
  #clockOffset = 0

  /** Starts at once: whatever an earlier process left is due, or will be when its lease ends. */
  constructor(engine: Engine, options: PollerOptions) {
    this.#engine = engine
    this.#options = options
    this.#logger = engine.logger
    this.#slots = new Slots({ ...options, clock: () => performance.now() })
    this.#wake = new Wake(options.version, options.pollMs)
    this.#wake.start()
    this.#waker = new Waker(engine, options.pollMs, () => this.kick())
    const heartbeatMs = Math.floor(options.leaseMs / 3)
    this.#heartbeat = setInterval(() => void this.#renew(), heartbeatMs)
    this.#beginWithinMs = options.leaseMs - heartbeatMs
    this.#watch = setInterval(() => this.#lookAtSlots(), WATCH_MS)
    this.#loop = this.#run()
  }

  kick(): void {
    this.#wake.kick()
  }

  /** Claims nothing more, lets attempts finish for `drainMs`, settles, and gives back what still runs. */
  async stop(drainMs: number): Promise<void> {
    this.#phase = 'draining'
    this.#wake.kick()
    const end = setTimeout(() => this.#end(), drainMs)
    await this.#giveBack(this.#slots.dropWaiting())
    await this.#loop
    clearTimeout(end)
    this.#end()
    clearInterval(this.#heartbeat)
    clearInterval(this.#watch)
    clearTimeout(this.#moment)
    await this.#waker.stop()
    this.#wake.stop()
    await this.#giveBack(this.#slots.dropAll())
  }

  #end(): void {
    this.#phase = 'ended'
    this.#ended.abort()
    this.#wake.kick()
  }

  async #run(): Promise<void> {
    let more = true
    let seen = -1
    let backoffMs = 0
    while (this.#phase !== 'ended') {
      const { wanted, finished } = this.#slots
      if (this.#phase === 'draining' && this.#slots.inHand.length === 0) return
      const woken = this.#wake.count !== seen
      // What has finished makes room for rows of its endpoint that are held: they are let out with its settle.
      const mayClaim = this.#phase === 'running' && wanted > 0 && (more || woken || this.#slots.owesRoom)
      // What is new is claimed at once. What has finished waits for its neighbours, a moment at most.
      const claimNow = mayClaim && (woken || finished.length === 0)
      const settleNow = this.#slots.groupIsReady || (this.#wake.settleIsDue && finished.length > 0)
      if (!claimNow && !settleNow) {
        await this.#wake.wait()
        continue
      }
      seen = this.#wake.count
      try {
        more = await this.#turn(mayClaim ? wanted : 0)
        backoffMs = 0
      } catch (error) {
        more = true
        backoffMs = Math.min(MAX_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, backoffMs * 2))
        this.#logger.error({ ...errorFields(error), backoffMs }, 'the database refused; trying again')
        await delay(backoffMs, undefined, { signal: this.#ended.signal }).catch(() => undefined)
      }
      // Whatever finished during the turn, or was refused by it, has asked for its settle too early to be heard.
      if (this.#slots.finished.length > 0) this.#wake.settle(GROUP_MS)
    }
  }

  /** One commit: settles, and claims up to `limit`. Says whether there may be more to claim. */
  async #turn(limit: number): Promise<boolean> {
    const finished = [...this.#slots.finished]
    this.#wake.settled()
    const claim = limit > 0 ? { limit, leaseMs: this.#options.leaseMs } : undefined
    const beginBy = performance.now() + this.#beginWithinMs
    const roomFor = (id: string, makesRoom: boolean): number => this.#slots.roomFor(id, makesRoom)
    const { results, claimed, storageError } = await this.#engine.settleEach(finished, { claim, roomFor })
    // What is unsettled, or locked by another session, stays finished, to be tried again.
    this.#slots.settled(
      results.flatMap((one) => (one.settle === 'unsettled' || one.settle === 'locked' ? [] : one.finished)),
    )
    if (storageError !== undefined) throw storageError
    if (finished.some(({ outcome }) => leavesHeld(outcome))) this.#waker.look()
    const { claims, dead } = claimed
    logExhausted(this.#logger, dead)
    const [first] = claims
    if (first) this.#clockOffset = first.claimedAt - performance.now()
    this.#slots.add(claims, await this.#engine.admit(claims), beginBy)
    if (this.#phase === 'running') {
      this.#fill()
      this.#slots.holdOverflow()
    } else await this.#giveBack(this.#slots.dropWaiting())
    if (limit === 0 || claims.length + dead.length === limit) return true
    const { now, dueAt } = await nextDueEvent(this.#engine.db)
    this.#wake.setDue(dueAt === null ? undefined : dueAt - now)
    return false
  }

  /** Starts what waits, as far as slots are free. */
  #fill(): void {
    const late: Claim[] = []
    for (let held = this.#slots.next(); held; held = this.#slots.next()) {
      if (performance.now() < held.beginBy) this.#start(held)
      else late.push(this.#slots.drop(held))
    }
    if (late.length > 0) void this.#giveBack(late, 'came too late to begin: the database or this process stood still')
    const { nextMomentMs } = this.#slots
    if (nextMomentMs === undefined) return
    clearTimeout(this.#moment)
    this.#moment = setTimeout(() => this.#fill(), nextMomentMs)
  }

  /** What waits in vain is given back to the database, and slots that a silent endpoint was lent go to others. */
  #lookAtSlots(): void {
    if (this.#phase !== 'running' || this.#slots.inHand.length === 0) return
    this.#fill()
    if (this.#slots.holdOverflow() || this.#slots.wanted > 0) this.#wake.settle(0)
  }

  #start(held: Held): void {
    const now = performance.now() + this.#clockOffset
    void this.#engine.deliver(held.claim, now, { admitted: held.notBefore > 0 }).then((outcome) => {
      if (!this.#slots.has(held)) return
      this.#slots.finish(held, outcome)
      this.#fill()
      this.#wake.settle(this.#slots.groupIsReady ? 0 : GROUP_MS)
    })
  }

  async #renew(): Promise<void> {
    try {
      const held = [...this.#slots.inHand]
      const claims = held.map(({ claim }) => claim)
      const beginBy = performance.now() + this.#beginWithinMs
      const lost = new Set(await extendLease(this.#engine.db, claims, this.#options.leaseMs))
      for (const one of held) if (!lost.has(one.claim.id)) one.beginBy = beginBy
      if (lost.size === 0) return
      // A settle of our own may have been committed just before; it gives its slots back within this turn.
      await nextTurn()
      for (const one of held) {
        if (!lost.has(one.claim.id) || !this.#slots.has(one)) continue
        this.#slots.dropIfWaiting(one)
        this.#logger.warn({ deliveryId: one.claim.id }, 'a lease was lost before its attempt ended')
      }
    } catch (error) {
      this.#logger.error(errorFields(error), 'leases could not be renewed; they hold until they end')
    }
  }

  /** Refunded and due now. What still runs may have arrived; its late outcome is dropped, as the database would. */
  async #giveBack(claims: readonly Claim[], why = 'stopping'): Promise<void> {
    if (claims.length === 0) return
    try {
      await releaseEvents(this.#engine.db, claims)
      this.#logger.warn({ deliveries: claims.length }, `claims were given back: ${why}`)
      this.kick()
    } catch (error) {
      this.#logger.error(
        { deliveries: claims.length, ...errorFields(error) },
        'claims could not be given back; their leases will end',
      )
    }
  }
}

/** Whether rows of its endpoint are held, so that there is a time to wake, which may have been set elsewhere. */
function leavesHeld({ kind, attempt }: DeliveryOutcome): boolean {
  return kind === 'hold' || attempt?.circuitOpen === true || attempt?.heldBack === true
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
