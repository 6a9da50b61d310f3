import { setTimeout as delay } from 'node:timers/promises'
import { type DeliveryOutcome, type Engine, type FinishedDelivery, type Logger, errorFields } from '@keepsend/engine'
import {
  type Claim,
  type ClaimOptions,
  OutboxError,
  type Settled,
  extendLease,
  nextDueEvent,
  releaseEvents,
} from '@keepsend/outbox'
import { Slots } from './slots.ts'
import { Wake } from './wake.ts'

export interface PollerOptions {
  concurrency: number
  leaseMs: number
  pollMs: number
  /** See {@link Wake}. */
  version: (() => number) | undefined
}

const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5000
// How long the first outcome of a group waits for others: an fsync's worth, nothing to a receiver.
const GROUP_MS = 2
// A broken attempt (a defect of ours, not of the receiver) is tried again after this.
const BROKEN_RETRY_MS = 60_000

/**
 * The life of a claim here:
 *
 * ```text
 *   claimed ──► attempt running ──► finished ──► settled (committed): the slot is free
 *      │              │ lease renewed all along      │ commit refused: stays finished, tried again
 *      └──────────────┴── stop: released ◄───────────┘
 * ```
 *
 * One loop does all of it: settle what has finished and claim for the slots that this frees, in one commit; start what
 * was claimed; wait for outcomes or a reason to look again. No attempt waits for another's answer: the slowest receiver
 * holds one slot.
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

  /** Starts at once: whatever an earlier process left is due, or will be when its lease ends. */
  constructor(engine: Engine, options: PollerOptions) {
    this.#engine = engine
    this.#options = options
    this.#logger = engine.logger
    this.#slots = new Slots(options.concurrency)
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
    await this.#loop
    clearTimeout(end)
    this.#end()
    clearInterval(this.#heartbeat)
    this.#wake.stop()
    await this.#giveBack()
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
      const { free, running, finished } = this.#slots
      if (this.#phase === 'draining' && running === 0 && finished.length === 0) return
      const woken = this.#wake.count !== seen
      const mayClaim = this.#phase === 'running' && free + finished.length > 0 && (more || woken)
      // What is new is claimed at once. What has finished waits for its neighbours, a moment at most.
      const claimNow = mayClaim && (woken || (free > 0 && finished.length === 0))
      if (!claimNow && !this.#groupIsReady()) {
        await this.#wake.wait()
        continue
      }
      seen = this.#wake.count
      try {
        more = await this.#turn(mayClaim)
        backoffMs = 0
      } catch (error) {
        more = true
        backoffMs = Math.min(MAX_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, backoffMs * 2))
        this.#logger.error({ ...errorFields(error), backoffMs }, 'the database refused; trying again')
        await delay(backoffMs, undefined, { signal: this.#ended.signal }).catch(() => undefined)
      }
      // Whatever finished during the turn, or was refused by it, has asked for its settle too early to be heard.
      if (this.#slots.finishedCount > 0) this.#wake.settle(GROUP_MS)
    }
  }

  /** Half a window, or whatever there is when nothing else runs or the moment is over. */
  #groupIsReady(): boolean {
    const { running, finished } = this.#slots
    if (finished.length === 0) return false
    return running === 0 || finished.length * 2 >= this.#options.concurrency || this.#wake.settleIsDue
  }

  /** One commit: settles, and claims if there is room. Says whether more is waiting to be claimed. */
  async #turn(claiming: boolean): Promise<boolean> {
    const finished = [...this.#slots.finished]
    this.#wake.settled()
    const limit = this.#slots.free + finished.length
    const settled = await this.#settle(finished, claiming ? { limit, leaseMs: this.#options.leaseMs } : undefined)
    const receivedAt = performance.now()
    const { claims, dead } = settled.claimed
    for (const row of dead)
      this.#logger.warn({ deliveryId: row.id, error: row.lastError }, 'a delivery failed: its attempts are used up')
    for (const claim of claims) this.#start(claim, receivedAt)
    if (!claiming) return true
    if (claims.length + dead.length === limit) return true
    const { now, dueAt } = await nextDueEvent(this.#engine.db)
    this.#wake.setDue(dueAt === null ? undefined : dueAt - now)
    return false
  }

  /** Together first; if that is refused, without the claim; then row by row, so one bad row cannot hold its neighbours. */
  async #settle(finished: readonly FinishedDelivery[], claim: ClaimOptions | undefined): Promise<Settled> {
    try {
      const settled = await this.#engine.settle(finished, claim)
      this.#settledAll(finished, settled.lost)
      return settled
    } catch (error) {
      if (finished.length === 0) throw error
      this.#logger.warn(
        { ...errorFields(error), outcomes: finished.length },
        'a group of outcomes was refused; trying them apart',
      )
    }
    let refusal: unknown
    for (const group of [finished, ...finished.map((one) => [one])]) {
      if (!group.every((one) => this.#slots.finished.includes(one))) continue
      try {
        const { lost } = await this.#engine.settle(group)
        this.#settledAll(group, lost)
      } catch (error) {
        // Of the group nothing is known yet: its rows follow, each alone.
        if (group === finished) continue
        if (error instanceof OutboxError) refusal = error
        else this.#abandon(group, error)
      }
    }
    if (refusal !== undefined) throw refusal
    return { lost: [], claimed: { claims: [], dead: [] } }
  }

  #settledAll(finished: readonly FinishedDelivery[], lost: readonly string[]): void {
    this.#slots.give(finished)
    for (const id of lost)
      this.#logger.warn({ deliveryId: id }, 'a settle came too late: another worker has the delivery')
  }

  /** The storage is well and refuses this row (a trigger of the host's, say): it would every time, and hold up the rest. */
  #abandon(finished: readonly FinishedDelivery[], error: unknown): void {
    this.#slots.give(finished)
    const [one] = finished
    this.#logger.error(
      { deliveryId: one?.claim.id, outcome: one?.outcome.kind, ...errorFields(error) },
      'an outcome was refused for itself; the delivery is due again when its lease ends',
    )
  }

  #start(claim: Claim, receivedAt: number): void {
    this.#slots.take(claim)
    // The database's clock, carried on by a clock that only goes up: a wrong local time does no harm.
    const now = claim.claimedAt + (performance.now() - receivedAt)
    void this.#attempt(claim, now).then((outcome) => {
      if (!this.#slots.has(claim)) return
      this.#slots.finish({ claim, outcome })
      this.#wake.settle(this.#groupIsReady() ? 0 : GROUP_MS)
    })
  }

  async #attempt(claim: Claim, now: number): Promise<DeliveryOutcome> {
    try {
      return await this.#engine.deliver(claim, now)
    } catch (error) {
      this.#logger.error({ deliveryId: claim.id, ...errorFields(error) }, 'an attempt broke')
      return { kind: 'retry', delayMs: BROKEN_RETRY_MS, deferral: false, error: `attempt_broke: ${String(error)}` }
    }
  }

  async #renew(): Promise<void> {
    try {
      const { claims } = this.#slots
      const lost = new Set(await extendLease(this.#engine.db, claims, this.#options.leaseMs))
      if (lost.size === 0) return
      // A settle of our own may have been committed just before; it gives its slots back within this turn.
      await nextTurn()
      for (const claim of claims) {
        if (lost.has(claim.id) && this.#slots.has(claim))
          this.#logger.warn({ deliveryId: claim.id }, 'a lease was lost before its attempt ended')
      }
    } catch (error) {
      this.#logger.error(errorFields(error), 'leases could not be renewed; they hold until they end')
    }
  }

  /** What still runs when the drain ends: refunded and due now. Its late outcome is dropped here, as the database would. */
  async #giveBack(): Promise<void> {
    const claims = this.#slots.claims
    for (const claim of claims) this.#slots.drop(claim)
    if (claims.length === 0) return
    try {
      await releaseEvents(this.#engine.db, claims)
      this.#logger.warn({ deliveries: claims.length }, 'stopped with attempts under way; they were given back')
    } catch (error) {
      this.#logger.error(
        { deliveries: claims.length, ...errorFields(error) },
        'attempts under way could not be given back; their leases will end',
      )
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
