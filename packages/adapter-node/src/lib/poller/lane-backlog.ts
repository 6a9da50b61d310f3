import type { Claim, LaneRef, LaneShare, Look, LookOptions } from '@keepsend/outbox'
import { type Lane, keyOf } from './lane.ts'
import type { LaneScheduler } from './lane-scheduler.ts'

/** How many rows may be claimed. */
export interface Room {
  /** Of anybody. */
  rows: number
  /** Besides, for endpoints to which a slot beyond `concurrency` would be lent. */
  lent: number
}

/** A lane that is believed to have rows, until a claim finds it empty. */
interface Known extends LaneRef {
  /** What is asked of it at once while there are others: whether it has so many is not known. */
  ask: number
  /** The last row that a claim took of it, as long as claims give all that they are asked for; '' after a look. */
  after: string
  /** The turn in which it was named, by a publish of this process or a settle; -1: a look has shown it. */
  hintedIn: number
}

// As many endpoints of one workspace as a look shows while there are others, and while it is alone.
const ENDPOINTS = 4
const ENDPOINTS_ALONE = 64
const FIRST_ASK = 4
const MAX_ASK = 1000
// Lanes that are kept in mind; whatever is beyond, a look finds.
const MAX_HINTS = 1000
const MAX_BEHIND = 1000
// More than the workspaces of one look.
const BEHIND_AT_ONCE = 64
// What one claim names. A turn of so many lanes is long enough.
const MAX_SHARES = 256

/**
 * What stands in line in the database, as far as this process knows: the lanes that the last look showed, and those that
 * it was told of. Says where the next look goes on, and how many rows of which lane the next claim takes. Losing it does
 * no harm.
 */
export class LaneBacklog {
  readonly #lanes: LaneScheduler
  readonly #known = new Map<string, Known>()
  readonly #behind = new Map<string, string>()
  #after = ''
  #isAlone = true
  #turn = 0
  /** There are more lanes than the last look showed, or no look was made yet. */
  isPartial = true
  /** There are more workspaces: each turn looks at some, so that a round is short. */
  isRound = false

  constructor(lanes: LaneScheduler) {
    this.#lanes = lanes
  }

  /** There are rows in this lane. */
  hint({ workspaceId, endpointId }: LaneRef): void {
    const key = keyOf({ workspaceId, endpointId })
    const known = this.#known.get(key)
    if (known) known.hintedIn = this.#turn
    else if (this.#known.size >= MAX_HINTS) this.isPartial = true
    else this.#known.set(key, { workspaceId, endpointId, ask: FIRST_ASK, after: '', hintedIn: this.#turn })
  }

  /** Where the next look goes on. */
  get nextLook(): LookOptions {
    const endpoints = this.#isAlone ? ENDPOINTS_ALONE : ENDPOINTS
    const after = this.#after
    let behind = [...this.#behind]
    if (behind.length > BEHIND_AT_ONCE) {
      const next = behind.filter(([workspaceId]) => workspaceId > after)
      behind = next.sort(([one], [other]) => (one < other ? -1 : 1)).slice(0, BEHIND_AT_ONCE)
    }
    return { after, endpoints, behind: Object.fromEntries(behind) }
  }

  looked({ lanes, next }: Look): void {
    const { after = '', endpoints = 0 } = this.nextLook
    const before = new Map(this.#known)
    for (const [key, known] of before) {
      // What came back in line behind the claims of the last turns is claimed from now on.
      known.after = ''
      if (known.hintedIn < 0) this.#known.delete(key)
    }
    const workspaces = Map.groupBy(lanes, ({ workspaceId }) => workspaceId)
    this.isRound = next !== '' || after !== ''
    let isPartial = this.isRound
    for (const [workspaceId, shown] of workspaces) {
      const isShort = shown.length < endpoints
      if (this.#behind.delete(workspaceId) || !isShort) isPartial = true
      const last = shown.reduce((most, { endpointId }) => (endpointId > most ? endpointId : most), '')
      if (!isShort && this.#behind.size < MAX_BEHIND) this.#behind.set(workspaceId, last)
      for (const ref of shown) {
        const key = keyOf(ref)
        this.#known.set(key, before.get(key) ?? { ...ref, ask: FIRST_ASK, after: '', hintedIn: -1 })
      }
    }
    // Of a workspace that was asked for lanes behind an endpoint and has none there, it starts again.
    for (const workspaceId of this.#behind.keys()) {
      const wasLookedAt = workspaceId > after && (next === '' || workspaceId <= next)
      if (workspaces.has(workspaceId) || !wasLookedAt) continue
      this.#behind.delete(workspaceId)
      isPartial = true
    }
    this.#isAlone = workspaces.size <= 1 && after === '' && next === ''
    this.#after = next
    this.isPartial = isPartial
  }

  /**
   * Shares out the room: one row at a time to the workspace with the least in hand, and within it to its lanes in turn,
   * each up to what it could begin soon. What is lent goes to workspaces below their share, and to lanes that may borrow.
   */
  allot({ rows, lent }: Room): LaneShare[] {
    this.#turn++
    const tenants = this.#candidates()
    const isOnly = this.#known.size === 1
    const shares = new Map<Lane, Required<LaneShare>>()
    let left = rows
    for (let beyond = lent; left > 0 || beyond > 0;) {
      const isLent = left <= 0
      const tenant = leastInHand(tenants)
      const turn = tenant?.turns.shift()
      if (!tenant || !turn) break
      const { lane, known } = turn
      let share = shares.get(lane)
      if ((!share && shares.size >= MAX_SHARES) || (isLent && !this.#lanes.mayBorrow(lane, tenant.before))) continue
      if (!share) {
        const { workspaceId, endpointId, after } = known
        shares.set(lane, (share = { workspaceId, endpointId, count: 0, after }))
      }
      share.count++
      tenant.inHand++
      tenant.before++
      if (isLent) beyond--
      else left--
      const most = Math.min(MAX_ASK, turn.room, isOnly ? MAX_ASK : known.ask)
      if (share.count < most) tenant.turns.push(turn)
    }
    return [...shares.values()]
  }

  #candidates(): Candidate[] {
    const tenants = new Map<string, Candidate>()
    for (const known of this.#known.values()) {
      const lane = this.#lanes.of(known)
      const room = this.#lanes.roomFor(lane)
      if (room === 0) continue
      const { workspaceId, running, waiting } = lane.tenant
      let tenant = tenants.get(workspaceId)
      if (!tenant) {
        tenant = { inHand: running + waiting, before: this.#lanes.provenWaiting(lane.tenant), turns: [] }
        tenants.set(workspaceId, tenant)
      }
      tenant.turns.push({ lane, known, room })
    }
    return [...tenants.values()]
  }

  /**
   * Learns from the claims, in the order of their ids, that a lane which gave less than was asked of it has no more rows
   * behind the place from which it was asked. A retry among the claims may move that place too far: the next look begins
   * at the first row again.
   */
  took(shares: readonly LaneShare[], claims: readonly Claim[], dead: number): void {
    const found = new Map<Lane, { count: number; last: string }>()
    for (const claim of claims) {
      const lane = this.#lanes.of(claim)
      const known = found.get(lane)
      if (!known) found.set(lane, { count: 1, last: claim.id })
      else {
        known.count++
        known.last = claim.id
      }
    }
    for (const share of shares) {
      const key = keyOf(share)
      const known = this.#known.get(key)
      if (!known) continue
      // Rows that were marked failed came from some lane, which is asked again.
      const { count = 0, last = '' } = found.get(this.#lanes.of(share)) ?? {}
      const gaveAll = count + dead >= share.count
      // Behind the others, in turn. What was published since the claim was made, it has not seen.
      this.#known.delete(key)
      if (gaveAll) this.#known.set(key, { ...known, after: last, ask: Math.min(MAX_ASK, known.ask * 2) })
      else if (known.hintedIn === this.#turn || share.after)
        this.#known.set(key, { ...known, after: '', ask: FIRST_ASK })
    }
  }
}

interface Candidate {
  inHand: number
  /** Claims of it that wait, or are to be made, and will begin before another does in a lent slot. */
  before: number
  turns: { lane: Lane; known: Known; room: number }[]
}

function leastInHand(tenants: readonly Candidate[]): Candidate | undefined {
  let least: Candidate | undefined
  for (const tenant of tenants) {
    if (tenant.turns.length > 0 && (!least || tenant.inHand < least.inHand)) least = tenant
  }
  return least
}
