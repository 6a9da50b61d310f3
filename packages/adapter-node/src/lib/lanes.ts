import type { Claim } from '@keepsend/outbox'
import type { Placed } from './bag.ts'

/** A claim in hand. Its attempt is another's once the lease is lost, and then its settle says so. */
export interface Held extends Placed {
  readonly claim: Claim
  readonly lane: Lane
  /** Its moment under a rate limit, on the monotonic clock; 0: at any time. */
  readonly notBefore: number
  /** The last moment to begin, on the monotonic clock: later its lease may have ended, and another worker may have it. */
  beginBy: number
}

/** One endpoint's claims in hand, and how fast it answers. */
export interface Lane {
  readonly endpointId: string
  readonly waiting: Held[]
  running: number
  /** What the endpoint itself allows at once. */
  limit: number | undefined
  /** How long it takes to answer, lately; undefined before its first answer. */
  latencyMs: number | undefined
  /** When it answered last, or began to run after it did not. */
  movedAt: number
  /** When it answered fast last. */
  fastAt: number
  /** When claims of it were held here last. */
  heldAt: number
}

export interface LaneOptions {
  /** Attempts at once, of all endpoints. */
  concurrency: number
  /** Attempts at once of one endpoint, unless it answers fast. */
  slotsPerEndpoint: number
  /** Monotonic milliseconds. */
  clock: () => number
}

/** An endpoint that answers within this gives a slot back so soon that it may have as many as are free. */
const FAST_MS = 50
/** What cannot begin within this is not kept in hand. */
const PATIENCE_MS = 250
// Longer than an endpoint that was read is gone by.
const HELD_LATELY_MS = 2000
// Endpoints that are remembered while nothing of theirs is in hand.
const MAX_LANES = 10_000

/**
 * Whose turn it is. Endpoints take turns, whatever the backlog of each, and none runs more than its share:
 *
 * - one that is slow, or not known yet, has `slotsPerEndpoint`, a quarter of all by default;
 * - one that answers fast may have all that are free. If it falls silent, what it has beyond its share no longer counts
 *   as taken, so that others go on.
 */
export class Lanes {
  readonly #options: LaneOptions
  readonly #lanes = new Map<string, Lane>()
  /** Those with claims that wait, in turn. */
  #turns: Lane[] = []
  #waiting = 0
  /** Those that run more than their share: few, if any. */
  #borrowers: Lane[] = []

  constructor(options: LaneOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#waiting
  }

  /** Claims that would run if slots were free. The others wait for one of their own endpoint, and are in nobody's way. */
  get ready(): number {
    let ready = 0
    for (const lane of this.#turns) {
      if (this.#isEarly(lane)) continue
      const may = this.#mayRun(lane)
      ready +=
        may >= this.#options.concurrency ? lane.waiting.length : Math.min(lane.waiting.length, may - lane.running)
    }
    return ready
  }

  /** Slots that are lent to endpoints which have fallen silent since. */
  get silent(): number {
    let silent = 0
    for (const lane of this.#borrowers) {
      if (this.#isSilent(lane)) silent += lane.running - this.#options.slotsPerEndpoint
    }
    return silent
  }

  /** When the next claim that waits for its moment may run; undefined if none does. */
  get nextMoment(): number | undefined {
    let next: number | undefined
    for (const { waiting } of this.#turns) {
      const moment = waiting[0]?.notBefore ?? 0
      if (moment > 0 && (next === undefined || moment < next)) next = moment
    }
    return next
  }

  of(endpointId: string): Lane {
    let lane = this.#lanes.get(endpointId)
    if (!lane) {
      if (this.#lanes.size >= MAX_LANES) this.#forgetIdle()
      lane = {
        endpointId,
        waiting: [],
        running: 0,
        limit: undefined,
        latencyMs: undefined,
        movedAt: this.#options.clock(),
        fastAt: -Infinity,
        heldAt: -Infinity,
      }
      this.#lanes.set(endpointId, lane)
    }
    return lane
  }

  wait(held: Held): void {
    const { lane } = held
    if (lane.waiting.push(held) === 1) this.#turns.push(lane)
    this.#waiting++
  }

  /** The next claim to run: the oldest of the next endpoint that has a slot left. */
  next(): Held | undefined {
    for (let looked = this.#turns.length; looked > 0; looked--) {
      const lane = this.#turns.shift()
      if (!lane) return undefined
      const may = lane.running < this.#mayRun(lane) && !this.#isEarly(lane)
      const held = may ? lane.waiting.shift() : undefined
      if (lane.waiting.length > 0) this.#turns.push(lane)
      if (!held) continue
      this.#waiting--
      if (lane.running++ === 0) lane.movedAt = this.#options.clock()
      if (lane.running === this.#options.slotsPerEndpoint + 1) this.#borrowers.push(lane)
      return held
    }
    return undefined
  }

  /** An attempt has ended. `tookMs` is the receiver's part; undefined if nothing was sent. */
  ended(lane: Lane, tookMs: number | undefined): void {
    if (lane.running === this.#options.slotsPerEndpoint + 1) {
      this.#borrowers = this.#borrowers.filter((one) => one !== lane)
    }
    lane.running--
    if (tookMs === undefined) return
    lane.movedAt = this.#options.clock()
    if (tookMs < FAST_MS) lane.fastAt = lane.movedAt
    // Slow counts at once, fast has to be shown.
    const before = lane.latencyMs ?? tookMs
    lane.latencyMs = tookMs > before ? tookMs : before + (tookMs - before) / 4
  }

  /** Claims of endpoints that can take no more for now, out of hand: they would only wait here. */
  takeOverflow(): Held[] {
    const now = this.#options.clock()
    const overflow: Held[] = []
    for (const lane of this.#turns) {
      // Its moment has passed while it waited for a slot: others have been given theirs since.
      const paced = (lane.waiting[0]?.notBefore ?? 0) > 0
      if (paced && (lane.waiting[0]?.notBefore ?? 0) >= now - PATIENCE_MS) continue
      // One that has yet to show how fast it is gets its time, and a moment's silence makes no fast one slow.
      const since = lane.latencyMs === undefined ? lane.movedAt : lane.fastAt
      if (!paced && lane.limit === undefined && now - since <= PATIENCE_MS) continue
      const keep = Math.max(0, this.#mayHave(lane) - lane.running)
      if (lane.waiting.length > keep) lane.heldAt = now
      overflow.push(...lane.waiting.splice(keep))
    }
    this.#waiting -= overflow.length
    this.#turns = this.#turns.filter(({ waiting }) => waiting.length > 0)
    return overflow
  }

  /** Whether rows of the endpoint were held here a moment ago: sooner than a look at the database could tell. */
  heldLately(lane: Lane): boolean {
    return this.#options.clock() - lane.heldAt < HELD_LATELY_MS
  }

  /** How many more claims of an endpoint could begin soon. */
  roomFor(endpointId: string): number {
    const lane = this.of(endpointId)
    return Math.max(0, this.#mayHave(lane) - lane.running - lane.waiting.length)
  }

  /** All that wait, out of hand; or the one. */
  takeWaiting(only?: Held): Held[] {
    const taken: Held[] = []
    for (const lane of this.#turns) {
      const kept = only ? lane.waiting.filter((held) => held !== only) : []
      taken.push(...lane.waiting.filter((held) => !kept.includes(held)))
      lane.waiting.splice(0, lane.waiting.length, ...kept)
    }
    this.#waiting -= taken.length
    this.#turns = this.#turns.filter(({ waiting }) => waiting.length > 0)
    return taken
  }

  #mayRun(lane: Lane): number {
    if (lane.limit !== undefined) return lane.limit
    const fast = lane.latencyMs !== undefined && lane.latencyMs < FAST_MS && !this.#isSilent(lane)
    return fast ? this.#options.concurrency : this.#options.slotsPerEndpoint
  }

  /** In hand: what may run, and what will have begun within {@link PATIENCE_MS}. */
  #mayHave(lane: Lane): number {
    const latencyMs = Math.max(1, this.#isSilent(lane) ? PATIENCE_MS * 4 : (lane.latencyMs ?? PATIENCE_MS * 4))
    return Math.floor(this.#mayRun(lane) * (1 + PATIENCE_MS / latencyMs))
  }

  #isEarly({ waiting }: Lane): boolean {
    const moment = waiting[0]?.notBefore ?? 0
    return moment > 0 && moment > this.#options.clock()
  }

  #isSilent(lane: Lane): boolean {
    return lane.running > 0 && this.#options.clock() - lane.movedAt > FAST_MS
  }

  #forgetIdle(): void {
    for (const [id, { waiting, running }] of this.#lanes) {
      if (waiting.length + running === 0) this.#lanes.delete(id)
    }
  }
}
