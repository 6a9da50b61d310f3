import type { LaneRef } from '@keepsend/outbox'
import { KnownLanes } from './known-lanes.ts'
import {
  type Answer,
  type InFlightClaim,
  type Lane,
  type LaneOptions,
  START_WITHIN_MS,
  type Tenant,
  canStart,
  claimLimit,
  isProven,
  loanCredit,
  mayBorrow,
  recordAnswer,
  runnableCount,
} from './lane.ts'

/**
 * Chooses the next claim to run: from the workspace with the fewest attempts running, and within it from the endpoint with
 * the fewest. The states of a slot, and what moves it:
 *
 * ```text
 *   state      meaning                                      entered by                      left by
 *   free       fewer than `concurrency` run                 finishAttempt                   next
 *   quota      runs one of the first `concurrency`          next                            finishAttempt
 *              attempts, within its lane's slot limit
 *   lent       runs beyond `concurrency` (at most as many   next, while no slot is free     finishAttempt
 *              again), see {@link mayBorrow}
 *   reclaimed  quota or lent, its lane not proven (silent,  a second without a response,    the lane's next fast
 *              slow, or never answered): does not count     or `next` on such a lane        response, or finishAttempt
 *              against its workspace's share of loans
 * ```
 *
 * A lane is **silent** while attempts of it run and it has not responded since `lastProgressAt` for 50 ms (it loses the right
 * to all free slots and keeps `slotsPerEndpoint`) or for a second (it borrows nothing, and its slots are reclaimed). A
 * request cannot be taken back, so a reclaimed slot stays in use until its attempt ends, at the latest by its deadline.
 */
export class LaneScheduler {
  readonly #options: LaneOptions
  readonly #known: KnownLanes
  /** Workspaces with waiting claims, those that started longest ago first. */
  readonly #queue = new Set<Tenant>()
  #waiting = 0
  /** Waiting claims that have a slot time. */
  #awaitingSlotTime = 0
  #running = 0
  #lentUnproven = 0

  constructor(options: LaneOptions) {
    this.#options = options
    this.#known = new KnownLanes(options.clock)
  }

  get waiting(): number {
    return this.#waiting
  }

  get running(): number {
    return this.#running
  }

  /** Waiting claims that need only a free slot. */
  get runnableCount(): number {
    let count = 0
    const now = this.#options.clock()
    for (const lane of this.#waitingLanes()) count += runnableCount(lane, this.#options, now)
    return count
  }

  get hasRunnable(): boolean {
    const now = this.#options.clock()
    for (const lane of this.#waitingLanes()) if (runnableCount(lane, this.#options, now) > 0) return true
    return false
  }

  /** Waiting claims that may start in lent slots. */
  get borrowableCount(): number {
    const now = this.#options.clock()
    let count = 0
    for (const tenant of this.#queue) {
      const { total } = loanCredit(tenant, this.#lentUnproven, this.#options, now)
      if (total > 0) count += Math.min(total, this.provenWaiting(tenant))
    }
    return count
  }

  /** The earliest slot time of a waiting claim, monotonic; undefined if none has one. */
  get nextSlotTime(): number | undefined {
    let next: number | undefined
    if (this.#awaitingSlotTime === 0) return next
    for (const { waiting } of this.#waitingLanes()) {
      const time = waiting[0]?.notBefore ?? 0
      if (time > 0 && (next === undefined || time < next)) next = time
    }
    return next
  }

  laneFor(ref: LaneRef): Lane {
    return this.#known.laneFor(ref)
  }

  enqueue(inFlight: InFlightClaim): void {
    const { lane } = inFlight
    lane.waiting.push(inFlight)
    lane.tenant.lanes.add(lane)
    lane.tenant.waiting++
    this.#queue.add(lane.tenant)
    this.#waiting++
    if (inFlight.notBefore > 0) this.#awaitingSlotTime++
  }

  /** Starts the next claim; undefined if none may start. */
  next(): InFlightClaim | undefined {
    const { concurrency } = this.#options
    if (this.#waiting === 0 || this.#running >= 2 * concurrency) return undefined
    const isLent = this.#running >= concurrency
    const now = this.#options.clock()
    let best: Lane | undefined
    for (const tenant of this.#queue) {
      if (best && tenant.running >= best.tenant.running) continue
      best = this.#nextOf(tenant, isLent, now) ?? best
    }
    return best && this.#start(best, isLent)
  }

  #nextOf(tenant: Tenant, isLent: boolean, now: number): Lane | undefined {
    const credit = isLent ? loanCredit(tenant, this.#lentUnproven, this.#options, now) : undefined
    if (credit && credit.total <= 0) return undefined
    let best: Lane | undefined
    for (const lane of tenant.lanes) {
      if (best && lane.running >= best.running) continue
      if (canStart(lane, this.#options, now) === 0 || (credit && !mayBorrow(lane, credit, now))) continue
      best = lane
      if (lane.running === 0) break
    }
    return best
  }

  #start(lane: Lane, isLent: boolean): InFlightClaim | undefined {
    const inFlight = lane.waiting.shift()
    if (!inFlight) return undefined
    const { tenant } = lane
    // Lanes and workspaces with equally many attempts alternate.
    moveToEnd(tenant.lanes, lane)
    if (--tenant.waiting > 0) moveToEnd(this.#queue, tenant)
    else this.#queue.delete(tenant)
    tenant.running++
    this.#waiting--
    if (inFlight.notBefore > 0) this.#awaitingSlotTime--
    this.#running++
    inFlight.host = lane.host
    this.#options.hosts.started(lane.host)
    if (lane.running++ === 0) lane.lastProgressAt = this.#options.clock()
    inFlight.isLent = isLent
    if (isLent && lane.lastLatencyMs === undefined) {
      lane.lentUnproven++
      this.#lentUnproven++
    }
    return inFlight
  }

  /** @param answer undefined if nothing was sent */
  finishAttempt({ lane, isLent, host }: InFlightClaim, answer?: Answer): void {
    this.#options.hosts.finished(host)
    const tookMs = answer?.tookMs
    lane.running--
    lane.tenant.running--
    this.#running--
    this.#forgetIfIdle(lane)
    // A response ends every loan on trust of its lane, not only this one.
    const ended = tookMs === undefined ? Math.min(lane.lentUnproven, Number(isLent)) : lane.lentUnproven
    lane.lentUnproven -= ended
    this.#lentUnproven -= ended
    if (answer) recordAnswer(lane, answer, this.#options)
  }

  /** Removes and returns the claims that have waited for twice {@link START_WITHIN_MS}, or whose slot time has expired. */
  takeOverflow(): InFlightClaim[] {
    const now = this.#options.clock()
    return this.#take(({ since, startBy }) => now > startBy || now - since > 2 * START_WITHIN_MS)
  }

  /** Removes and returns all waiting claims, or those of one lane, or one claim. */
  takeWaiting(only?: InFlightClaim | Lane): InFlightClaim[] {
    return this.#take((inFlight) => only === undefined || inFlight === only || inFlight.lane === only)
  }

  /** How many more rows of a lane may be claimed. */
  roomFor(lane: Lane): number {
    if (lane.isRefused) return 0
    const limit = Math.min(lane.slotTimes, claimLimit(lane, this.#options, this.#options.clock()))
    return Math.max(0, limit - lane.running - lane.waiting.length)
  }

  /** Whether a row of the lane would get a lent slot, after `before` other claims of its workspace. */
  mayBorrow(lane: Lane, before: number): boolean {
    const now = this.#options.clock()
    const credit = loanCredit(lane.tenant, this.#lentUnproven, this.#options, now)
    return credit.total > before && mayBorrow(lane, credit, now)
  }

  /** Waiting claims of a workspace whose lanes are proven. */
  provenWaiting({ lanes }: Tenant): number {
    const now = this.#options.clock()
    let waiting = 0
    for (const lane of lanes) if (isProven(lane, now)) waiting += lane.waiting.length
    return waiting
  }

  *#waitingLanes(): Iterable<Lane> {
    for (const tenant of this.#queue) {
      for (const lane of tenant.lanes) if (lane.waiting.length > 0) yield lane
    }
  }

  #take(isTaken: (inFlight: InFlightClaim) => boolean): InFlightClaim[] {
    const taken: InFlightClaim[] = []
    for (const lane of this.#waitingLanes()) {
      const out = lane.waiting.filter(isTaken)
      if (out.length === 0) continue
      const rest = lane.waiting.filter((inFlight) => !out.includes(inFlight))
      lane.waiting.splice(0, lane.waiting.length, ...rest)
      lane.tenant.waiting -= out.length
      if (lane.tenant.waiting === 0) this.#queue.delete(lane.tenant)
      this.#waiting -= out.length
      for (const { notBefore } of out) if (notBefore > 0) this.#awaitingSlotTime--
      taken.push(...out)
      this.#forgetIfIdle(lane)
    }
    return taken
  }

  #forgetIfIdle(lane: Lane): void {
    if (lane.running + lane.waiting.length === 0) lane.tenant.lanes.delete(lane)
  }
}

/** Leaves a single item alone: each delete and add makes the Set grow a new hash table sooner (see SwapRemoveSet). */
function moveToEnd<T>(set: Set<T>, one: T): void {
  if (set.size === 1) return
  set.delete(one)
  set.add(one)
}
