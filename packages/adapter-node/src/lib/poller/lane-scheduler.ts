import type { LaneRef } from '@keepsend/outbox'
import { KnownLanes } from './known-lanes.ts'
import {
  type Answer,
  type InFlightClaim,
  type Lane,
  type LaneOptions,
  SILENT_AFTER_MS,
  type Tenant,
  claimLimit,
  recordAnswer,
  isProven,
  mayBorrow,
  slotLimit,
  runnableCount,
  canStart,
} from './lane.ts'

/**
 * Whose turn it is. Workspaces take turns by what they have running, and within one its endpoints, whatever the backlog of
 * each:
 *
 * - An endpoint that is slow, or not known yet, has `slotsPerEndpoint`; one that answers fast may have all that are free.
 * - A slot cannot be taken back from a receiver that does not answer. So as many again are lent, beyond `concurrency`, to
 *   workspaces that have less than their share running, for endpoints that have lately answered soon, and a few that have
 *   not been asked yet.
 */
export class LaneScheduler {
  readonly #options: LaneOptions
  readonly #known: KnownLanes
  /** Those with claims that wait, in turn. */
  readonly #turns = new Set<Tenant>()
  #waiting = 0
  /** Of those, the ones that wait for a slot time. */
  #timed = 0
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

  /** Claims that would run if slots were free. The others wait for one of their own endpoint, or for their slot time. */
  get ready(): number {
    let ready = 0
    const now = this.#options.clock()
    for (const lane of this.#waitingLanes()) ready += runnableCount(lane, this.#options, now)
    return ready
  }

  /** Whether there is one. */
  get isReady(): boolean {
    const now = this.#options.clock()
    for (const lane of this.#waitingLanes()) if (runnableCount(lane, this.#options, now) > 0) return true
    return false
  }

  /** Of those that wait, the ones to which a slot beyond `concurrency` will be lent. */
  get borrowing(): number {
    const now = this.#options.clock()
    let count = 0
    for (const tenant of this.#turns) {
      const credit = claimLimit(tenant, this.#lentUnproven, this.#options, now).proven
      if (credit > 0) count += Math.min(credit, this.provenWaiting(tenant))
    }
    return count
  }

  /** When the next claim that waits for its slot time may run; undefined if none does. */
  get nextSlotTime(): number | undefined {
    let next: number | undefined
    if (this.#timed === 0) return next
    for (const { waiting } of this.#waitingLanes()) {
      const time = waiting[0]?.notBefore ?? 0
      if (time > 0 && (next === undefined || time < next)) next = time
    }
    return next
  }

  of(ref: LaneRef): Lane {
    return this.#known.of(ref)
  }

  wait(held: InFlightClaim): void {
    const { lane } = held
    lane.waiting.push(held)
    lane.tenant.lanes.add(lane)
    lane.tenant.waiting++
    this.#turns.add(lane.tenant)
    this.#waiting++
    if (held.notBefore > 0) this.#timed++
  }

  /**
   * The next claim to run: of the workspace that runs least, and of its endpoints the one that runs least. Beyond
   * `concurrency` a slot is lent.
   */
  next(): InFlightClaim | undefined {
    const { concurrency } = this.#options
    if (this.#waiting === 0 || this.#running >= 2 * concurrency) return undefined
    const isLent = this.#running >= concurrency
    const now = this.#options.clock()
    let best: Lane | undefined
    for (const tenant of this.#turns) {
      if (best && tenant.running >= best.tenant.running) continue
      best = this.#nextOf(tenant, isLent, now) ?? best
    }
    return best && this.#start(best, isLent)
  }

  #nextOf(tenant: Tenant, isLent: boolean, now: number): Lane | undefined {
    const credit = isLent ? claimLimit(tenant, this.#lentUnproven, this.#options, now) : undefined
    if (credit && credit.proven <= 0) return undefined
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
    const held = lane.waiting.shift()
    if (!held) return undefined
    const { tenant } = lane
    // Behind the others that run as much.
    moveBack(tenant.lanes, lane)
    if (--tenant.waiting > 0) moveBack(this.#turns, tenant)
    else this.#turns.delete(tenant)
    tenant.running++
    this.#waiting--
    if (held.notBefore > 0) this.#timed--
    this.#running++
    held.host = lane.host
    this.#options.hosts.began(lane.host)
    if (lane.running++ === 0) lane.lastProgressAt = this.#options.clock()
    held.isLent = isLent
    if (isLent && lane.lastLatencyMs === undefined) {
      lane.lentUnproven++
      this.#lentUnproven++
    }
    return held
  }

  /** An attempt has ended; without an answer if nothing was sent. */
  ended({ lane, isLent, host }: InFlightClaim, answer?: Answer): void {
    this.#options.hosts.ended(host)
    const tookMs = answer?.tookMs
    lane.running--
    lane.tenant.running--
    this.#running--
    this.#letGo(lane)
    // Once it has answered, nothing of it is lent on trust.
    const settled = tookMs === undefined ? Math.min(lane.lentUnproven, Number(isLent)) : lane.lentUnproven
    lane.lentUnproven -= settled
    this.#lentUnproven -= settled
    if (answer) recordAnswer(lane, answer, this.#options)
  }

  /** Claims that have waited too long, out of hand. */
  takeOverflow(): InFlightClaim[] {
    const now = this.#options.clock()
    return this.#take(({ since, startBy }) => now > startBy || now - since > 2 * SILENT_AFTER_MS)
  }

  /** All that wait, out of hand; or those of one endpoint, or the one. */
  takeWaiting(only?: InFlightClaim | Lane): InFlightClaim[] {
    return this.#take((held) => only === undefined || held === only || held.lane === only)
  }

  /** How many more claims of an endpoint would begin soon. */
  roomFor(lane: Lane): number {
    if (lane.isRefused) return 0
    const most = Math.min(lane.slotTimes, slotLimit(lane, this.#options, this.#options.clock()))
    return Math.max(0, most - lane.running - lane.waiting.length)
  }

  /**
   * Whether a slot beyond `concurrency` would be lent to it.
   *
   * @param before claims of its workspace that come before it
   */
  mayBorrow(lane: Lane, before: number): boolean {
    const now = this.#options.clock()
    const credit = claimLimit(lane.tenant, this.#lentUnproven, this.#options, now)
    return credit.proven > before && mayBorrow(lane, credit, now)
  }

  /** Claims of the workspace that wait for endpoints which answer soon. */
  provenWaiting({ lanes }: Tenant): number {
    const now = this.#options.clock()
    let waiting = 0
    for (const lane of lanes) if (isProven(lane, now)) waiting += lane.waiting.length
    return waiting
  }

  *#waitingLanes(): Iterable<Lane> {
    for (const tenant of this.#turns) {
      for (const lane of tenant.lanes) if (lane.waiting.length > 0) yield lane
    }
  }

  #take(isTaken: (held: InFlightClaim) => boolean): InFlightClaim[] {
    const taken: InFlightClaim[] = []
    for (const lane of this.#waitingLanes()) {
      const out = lane.waiting.filter(isTaken)
      if (out.length === 0) continue
      const kept = lane.waiting.filter((held) => !out.includes(held))
      lane.waiting.splice(0, lane.waiting.length, ...kept)
      lane.tenant.waiting -= out.length
      if (lane.tenant.waiting === 0) this.#turns.delete(lane.tenant)
      this.#waiting -= out.length
      for (const { notBefore } of out) if (notBefore > 0) this.#timed--
      taken.push(...out)
      this.#letGo(lane)
    }
    return taken
  }

  #letGo(lane: Lane): void {
    if (lane.running + lane.waiting.length === 0) lane.tenant.lanes.delete(lane)
  }
}

/** One that is alone stays: a Set that changes thousands of times a second is replaced all the time. */
function moveBack<T>(set: Set<T>, one: T): void {
  if (set.size === 1) return
  set.delete(one)
  set.add(one)
}
