import type { AttemptFacts } from '@keepsend/engine'
import type { Claim, LaneRef } from '@keepsend/outbox'
import type { Placed } from './bag.ts'

/** A claim in hand. Its attempt is another's once the lease is lost, and then its settle says so. */
export interface Held extends Placed {
  readonly claim: Claim
  readonly lane: Lane
  /** Its slot time under a rate limit, on the monotonic clock; 0: at any time. */
  readonly notBefore: number
  /** Since when it could begin, on the monotonic clock. */
  readonly since: number
  /** Under a rate limit it begins by then, or asks for another slot time; Infinity: whenever there is room. */
  readonly startBy: number
  /** The last moment to begin, on the monotonic clock: later its lease may have ended, and another worker may have it. */
  beginBy: number
  /** It runs in a slot beyond `concurrency`. */
  isLent: boolean
}

/** One endpoint's claims in hand, and how fast it answers. */
export interface Lane extends LaneRef {
  readonly tenant: Tenant
  readonly waiting: Held[]
  running: number
  /** Of those, the ones that run in lent slots, and began before it had ever answered. */
  lentUnproven: number
  /** What the endpoint itself wishes at once. */
  limit: number | undefined
  /** How long it takes to answer, lately; undefined before its first answer. */
  latencyMs: number | undefined
  /** How long its last answer took; undefined before its first answer. */
  lastMs: number | undefined
  /** When it answered last, or began to run after it did not. */
  movedAt: number
  /** Attempts at once, after it has asked for a wait or was overloaded; Infinity once it has taken enough again. */
  window: number
  /** Nothing more is claimed of it before: its rate limit has no slot time in sight. */
  pausedUntil: number
  /** How many slot times are in sight at once, as far as is known. */
  slotTimes: number
}

/** What a receiver said to an attempt. */
export interface Answer extends Pick<AttemptFacts, 'tookMs' | 'pushback'> {
  isSuccess: boolean
}

/** A workspace's claims in hand. */
export interface Tenant {
  readonly workspaceId: string
  running: number
  waiting: number
  /** Its lanes with claims that wait or run. */
  readonly lanes: Set<Lane>
}

export interface LaneOptions {
  /** Attempts at once, of all endpoints. */
  concurrency: number
  /** The share of a workspace while others have rows. */
  slotsPerWorkspace: number
  /** Attempts at once of one endpoint, unless it answers fast. */
  slotsPerEndpoint: number
  /** Monotonic milliseconds. */
  clock: () => number
}

/** An endpoint that answers within this gives a slot back so soon that it may have as many as are free. */
const FAST_MS = 50
/** What will not begin within this is not claimed; what has not after twice as long goes back in line. */
const PATIENCE_MS = 250
/**
 * An endpoint whose last answer took less, and that is not silent for longer, may borrow a slot: it is given back within
 * that time. Longer than most receivers need, and short beside a deadline.
 */
const PROVEN_MS = 1000
// Endpoints that are remembered while nothing of theirs is in hand.
const MAX_LANES = 10_000

/**
 * Whose turn it is. Workspaces take turns by what they have running, and within one its endpoints, whatever the backlog of
 * each:
 *
 * - An endpoint that is slow, or not known yet, has `slotsPerEndpoint`; one that answers fast may have all that are free.
 * - A slot cannot be taken back from a receiver that does not answer. So as many again are lent, beyond `concurrency`, to
 *   workspaces that have less than their share running, for endpoints that have lately answered soon, and a few that have
 *   not been asked yet.
 */
export class Lanes {
  readonly #options: LaneOptions
  readonly #lanes = new Map<string, Lane>()
  readonly #tenants = new Map<string, Tenant>()
  /** Those with claims that wait, in turn. */
  readonly #turns = new Set<Tenant>()
  #waiting = 0
  #running = 0
  #lentUnproven = 0

  constructor(options: LaneOptions) {
    this.#options = options
  }

  /** Endpoints that are remembered. */
  get size(): number {
    return this.#lanes.size
  }

  get waiting(): number {
    return this.#waiting
  }

  get running(): number {
    return this.#running
  }

  /** Claims that would run if slots were free. The others wait for one of their own endpoint, or for their moment. */
  get ready(): number {
    let ready = 0
    const now = this.#options.clock()
    for (const lane of this.#waitingLanes()) {
      // One that may have all slots waits for nothing else.
      const isOwn = this.#mayRun(lane, now) < this.#options.concurrency
      ready += isOwn || isOutOfTime(lane, now) ? this.#startable(lane, now) : lane.waiting.length
    }
    return ready
  }

  /** Of those that wait, the ones to which a slot beyond `concurrency` will be lent. */
  get borrowing(): number {
    const now = this.#options.clock()
    let count = 0
    for (const tenant of this.#turns) {
      const credit = this.#creditOf(tenant, now).proven
      if (credit > 0) count += Math.min(credit, this.provenWaiting(tenant))
    }
    return count
  }

  /** When the next claim that waits for its slot time may run; undefined if none does. */
  get nextMoment(): number | undefined {
    let next: number | undefined
    for (const { waiting } of this.#waitingLanes()) {
      const moment = waiting[0]?.notBefore ?? 0
      if (moment > 0 && (next === undefined || moment < next)) next = moment
    }
    return next
  }

  of(ref: LaneRef): Lane {
    const { workspaceId, endpointId } = ref
    const key = keyOf(ref)
    let lane = this.#lanes.get(key)
    if (!lane) {
      if (this.#lanes.size >= MAX_LANES) this.#forgetIdle()
      lane = {
        workspaceId,
        endpointId,
        tenant: this.#tenantOf(workspaceId),
        waiting: [],
        running: 0,
        lentUnproven: 0,
        limit: undefined,
        latencyMs: undefined,
        lastMs: undefined,
        movedAt: this.#options.clock(),
        window: Infinity,
        pausedUntil: 0,
        slotTimes: Infinity,
      }
      this.#lanes.set(key, lane)
    }
    return lane
  }

  wait(held: Held): void {
    const { lane } = held
    lane.waiting.push(held)
    lane.tenant.lanes.add(lane)
    lane.tenant.waiting++
    this.#turns.add(lane.tenant)
    this.#waiting++
  }

  /**
   * The next claim to run: of the workspace that runs least, and of its endpoints the one that runs least. Beyond
   * `concurrency` a slot is lent.
   */
  next(): Held | undefined {
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
    const credit = isLent ? this.#creditOf(tenant, now) : undefined
    if (credit && credit.proven <= 0) return undefined
    let best: Lane | undefined
    for (const lane of tenant.lanes) {
      if (best && lane.running >= best.running) continue
      if (this.#startable(lane, now) === 0 || (credit && !mayBorrow(lane, credit, now))) continue
      best = lane
      if (lane.running === 0) break
    }
    return best
  }

  #start(lane: Lane, isLent: boolean): Held | undefined {
    const held = lane.waiting.shift()
    if (!held) return undefined
    const { tenant } = lane
    // Behind the others that run as much.
    tenant.lanes.delete(lane)
    tenant.lanes.add(lane)
    this.#turns.delete(tenant)
    if (--tenant.waiting > 0) this.#turns.add(tenant)
    tenant.running++
    this.#waiting--
    this.#running++
    if (lane.running++ === 0) lane.movedAt = this.#options.clock()
    held.isLent = isLent
    if (isLent && lane.lastMs === undefined) {
      lane.lentUnproven++
      this.#lentUnproven++
    }
    return held
  }

  /** An attempt has ended; without an answer if nothing was sent. */
  ended({ lane, isLent }: Held, answer?: Answer): void {
    const tookMs = answer?.tookMs
    lane.running--
    lane.tenant.running--
    this.#running--
    this.#letGo(lane)
    // Once it has answered, nothing of it is lent on trust.
    const settled = tookMs === undefined ? Math.min(lane.lentUnproven, Number(isLent)) : lane.lentUnproven
    lane.lentUnproven -= settled
    this.#lentUnproven -= settled
    if (answer === undefined || tookMs === undefined) return
    this.#pace(lane, answer)
    lane.movedAt = this.#options.clock()
    lane.lastMs = tookMs
    // Slow counts at once, fast has to be shown.
    const before = lane.latencyMs ?? tookMs
    lane.latencyMs = tookMs > before ? tookMs : before + (tookMs - before) / 4
  }

  /**
   * After a pause one at a time, twice as many with each success, half with each answer that asks for a wait or says that
   * the receiver is overloaded.
   */
  #pace(lane: Lane, { pushback, isSuccess }: Answer): void {
    const { concurrency, slotsPerEndpoint } = this.#options
    if (pushback !== 'none') {
      const before = lane.window < Infinity ? lane.window : pushback === 'paused' ? 1 : slotsPerEndpoint
      lane.window = Math.max(1, Math.floor(before / 2))
    } else if (isSuccess && lane.window < Infinity) {
      lane.window = lane.window * 2 < concurrency ? lane.window * 2 : Infinity
    }
  }

  /** Claims that have waited too long, out of hand. */
  takeOverflow(): Held[] {
    const now = this.#options.clock()
    return this.#take(({ since, startBy }) => now > startBy || now - since > 2 * PATIENCE_MS)
  }

  /** All that wait, out of hand; or those of one endpoint, or the one. */
  takeWaiting(only?: Held | Lane): Held[] {
    return this.#take((held) => only === undefined || held === only || held.lane === only)
  }

  /** How many more claims of an endpoint would begin soon. */
  roomFor(lane: Lane): number {
    const now = this.#options.clock()
    if (lane.pausedUntil > now) return 0
    return Math.max(0, Math.min(lane.slotTimes, this.#mayHave(lane, now)) - lane.running - lane.waiting.length)
  }

  /**
   * Whether a slot beyond `concurrency` would be lent to it.
   *
   * @param before claims of its workspace that come before it
   */
  mayBorrow(lane: Lane, before: number): boolean {
    const now = this.#options.clock()
    const credit = this.#creditOf(lane.tenant, now)
    return credit.proven > before && mayBorrow(lane, credit, now)
  }

  /** What would be lent to a workspace. What it has running at endpoints that do not answer does not count: its others go on. */
  #creditOf(tenant: Tenant, now: number): Credit {
    const { concurrency, slotsPerWorkspace } = this.#options
    let [proven, unproven, trusted] = [0, 0, 0]
    for (const lane of tenant.lanes) {
      if (isProven(lane, now)) proven += lane.running
      else unproven += lane.running
      trusted += lane.lentUnproven
    }
    // A workspace with others that have not answered has one slot on trust, and half of those are kept for the others.
    const few = Math.max(1, Math.floor(concurrency / 8))
    const trust = unproven === 0 ? 2 * few : trusted === 0 ? few : 0
    return { proven: slotsPerWorkspace - proven, trust: trust - this.#lentUnproven }
  }

  /** Claims of the workspace that wait for endpoints which answer soon. */
  provenWaiting({ lanes }: Tenant): number {
    const now = this.#options.clock()
    let waiting = 0
    for (const lane of lanes) if (isProven(lane, now)) waiting += lane.waiting.length
    return waiting
  }

  /** Claims of it that could run now, if slots were free. */
  #startable(lane: Lane, now: number): number {
    if (isOutOfTime(lane, now)) return 0
    return Math.max(0, Math.min(lane.waiting.length, this.#mayRun(lane, now) - lane.running))
  }

  /** The endpoint's own limit is a wish within ours. */
  #mayRun(lane: Lane, now: number): number {
    const { concurrency, slotsPerEndpoint } = this.#options
    const isFast = lane.latencyMs !== undefined && lane.latencyMs < FAST_MS && !isSilent(lane, FAST_MS, now)
    return Math.min(lane.limit ?? Infinity, lane.window, isFast ? concurrency : slotsPerEndpoint)
  }

  /** In hand: what may run, and what will have begun within {@link PATIENCE_MS}. */
  #mayHave(lane: Lane, now: number): number {
    const isUnknown = lane.latencyMs === undefined || isSilent(lane, FAST_MS, now)
    const latencyMs = isUnknown ? Math.max(lane.latencyMs ?? 0, PATIENCE_MS * 4) : Math.max(1, lane.latencyMs ?? 0)
    return Math.floor(this.#mayRun(lane, now) * (1 + PATIENCE_MS / latencyMs))
  }

  *#waitingLanes(): Iterable<Lane> {
    for (const tenant of this.#turns) {
      for (const lane of tenant.lanes) if (lane.waiting.length > 0) yield lane
    }
  }

  #take(isTaken: (held: Held) => boolean): Held[] {
    const taken: Held[] = []
    for (const lane of this.#waitingLanes()) {
      const out = lane.waiting.filter(isTaken)
      if (out.length === 0) continue
      const kept = lane.waiting.filter((held) => !out.includes(held))
      lane.waiting.splice(0, lane.waiting.length, ...kept)
      lane.tenant.waiting -= out.length
      if (lane.tenant.waiting === 0) this.#turns.delete(lane.tenant)
      this.#waiting -= out.length
      taken.push(...out)
      this.#letGo(lane)
    }
    return taken
  }

  #tenantOf(workspaceId: string): Tenant {
    let tenant = this.#tenants.get(workspaceId)
    if (!tenant) {
      tenant = { workspaceId, running: 0, waiting: 0, lanes: new Set() }
      this.#tenants.set(workspaceId, tenant)
    }
    return tenant
  }

  #letGo(lane: Lane): void {
    if (lane.running + lane.waiting.length === 0) lane.tenant.lanes.delete(lane)
  }

  #forgetIdle(): void {
    for (const [key, { waiting, running }] of this.#lanes) if (waiting.length + running === 0) this.#lanes.delete(key)
    for (const [id, { waiting, running }] of this.#tenants) if (waiting + running === 0) this.#tenants.delete(id)
  }
}

/** Slots beyond `concurrency` that a workspace could have. */
interface Credit {
  /** For endpoints that have lately answered soon. */
  proven: number
  /** Of those, for endpoints that have not been asked yet. */
  trust: number
}

function mayBorrow(lane: Lane, { proven, trust }: Credit, now: number): boolean {
  return proven > 0 && (lane.lastMs === undefined ? trust > 0 : isProven(lane, now))
}

/** It has lately answered soon: a slot that it borrows is given back soon. */
function isProven(lane: Lane, now: number): boolean {
  return lane.lastMs !== undefined && lane.lastMs < PROVEN_MS && !isSilent(lane, PROVEN_MS, now)
}

function isSilent(lane: Lane, ms: number, now: number): boolean {
  return lane.running > 0 && now - lane.movedAt > ms
}

/** Its next claim waits for its slot time under a rate limit, or has missed it. */
function isOutOfTime({ waiting: [next] }: Lane, now: number): boolean {
  return next !== undefined && (next.notBefore > now || now > next.startBy)
}

/** A lane's name as one text: no endpoint id has a space. */
export function keyOf({ workspaceId, endpointId }: LaneRef): string {
  return `${endpointId} ${workspaceId}`
}
