import { setTimeout as delay } from 'node:timers/promises'
import { type Engine, type Logger, errorFields } from '@keepsend/engine'
import { type Claim, extendLease, nextDueEvent, releaseEvents } from '@keepsend/outbox'
import { settleGroup } from './settle-group.ts'
import { type Held, Slots } from './slots.ts'
import { Wake } from './wake.ts'

export interface PollerOptions {
  concurrency: number
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
  readonly #ended = new AbortController()
  readonly #loop: Promise<void>
  readonly #heartbeat: NodeJS.Timeout
  #phase: 'running' | 'draining' | 'ended' = 'running'
  /** The database's clock less our monotonic one: with it, a wrong local time does no harm. */
  #clockOffset = 0

  /** Starts at once: whatever an earlier process left is due, or will be when its lease ends. */
  constructor(engine: Engine, options: PollerOptions) {
    this.#engine = engine
    this.#options = options
    this.#logger = engine.logger
    this.#slots = new Slots(options.concurrency, options.settleBatch)
    this.#wake = new Wake(options.version, options.pollMs)
    this.#wake.start()
    this.#heartbeat = setInterval(() => void this.#renew(), Math.floor(options.leaseMs / 3))
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
      const mayClaim = this.#phase === 'running' && wanted > 0 && (more || woken)
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
    const { claimed } = await settleGroup(this.#engine, this.#slots, finished, claim)
    const { claims, dead } = claimed
    for (const row of dead) {
      // The kind of error alone: what follows may be the receiver's words.
      this.#logger.warn(
        { deliveryId: row.id, error: row.lastError?.split(':')[0] },
        'a delivery failed: its attempts are used up',
      )
    }
    const [first] = claims
    if (first) this.#clockOffset = first.claimedAt - performance.now()
    this.#slots.add(claims)
    if (this.#phase === 'running') this.#fill()
    else await this.#giveBack(this.#slots.dropWaiting())
    if (limit === 0 || claims.length + dead.length === limit) return true
    const { now, dueAt } = await nextDueEvent(this.#engine.db)
    this.#wake.setDue(dueAt === null ? undefined : dueAt - now)
    return false
  }

  /** Starts what waits, as far as slots are free. */
  #fill(): void {
    for (let held = this.#slots.next(); held; held = this.#slots.next()) this.#start(held)
  }

  #start(held: Held): void {
    void this.#engine.deliver(held.claim, performance.now() + this.#clockOffset).then((outcome) => {
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
      const lost = new Set(await extendLease(this.#engine.db, claims, this.#options.leaseMs))
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
  async #giveBack(claims: readonly Claim[]): Promise<void> {
    if (claims.length === 0) return
    try {
      await releaseEvents(this.#engine.db, claims)
      this.#logger.warn({ deliveries: claims.length }, 'stopping; claims were given back')
    } catch (error) {
      this.#logger.error(
        { deliveries: claims.length, ...errorFields(error) },
        'claims could not be given back; their leases will end',
      )
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
