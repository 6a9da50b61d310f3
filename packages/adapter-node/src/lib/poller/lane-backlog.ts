import type { Claim, LaneRef, LaneShare, Look, LookOptions } from '@keepsend/outbox'
import { type Lane, keyOf } from './lane.ts'
import type { LaneScheduler } from './lane-scheduler.ts'

/** How many rows may be claimed. */
export interface Room {
  /** Of any lane. */
  rows: number
  /** In addition, of lanes that would get a slot beyond `concurrency`. */
  lent: number
}

/** A lane that is believed to have rows, until a claim finds it empty. */
interface Known extends LaneRef {
  /** Rows to ask of it in one claim while other lanes have rows; whether it has that many is not known. */
  askCount: number
  /** The last row that a claim took of it, as long as claims return all rows they ask for; '' after a look. */
  after: string
  /** The poll round in which a publish of this process or a settle named it; -1: a look has shown it. */
  hintedInRound: number
}

// Endpoints of one workspace that a look shows while other workspaces have rows, and while none has.
const ENDPOINTS = 4
const ENDPOINTS_ALONE = 64
const FIRST_ASK = 4
const MAX_ASK = 1000
// Lanes remembered from hints; looks find the others.
const MAX_HINTS = 1000
const MAX_BEHIND = 1000
// More than the workspaces of one look.
const BEHIND_PER_LOOK = 64
// Lanes that one claim names. More would make the poll round too long.
const MAX_SHARES = 256

/**
 * The lanes that have ready rows, as far as this process knows: those that the last look showed, and those that hints
 * named. Decides where the next look continues, and how many rows of which lane the next claim takes. A cache: losing it
 * does no harm.
 */
export class LaneBacklog {
  readonly #lanes: LaneScheduler
  readonly #known = new Map<string, Known>()
  readonly #behind = new Map<string, string>()
  #after = ''
  #isAlone = true
  #round = 0
  /** There are more lanes than the last look showed, or no look was made yet. */
  isPartial = true
  /** There are more workspaces than one look shows: each poll round looks at some, so that it stays short. */
  isPaged = false

  constructor(lanes: LaneScheduler) {
    this.#lanes = lanes
  }

  /** Remembers that this lane has rows. */
  hint({ workspaceId, endpointId }: LaneRef): void {
    const key = keyOf({ workspaceId, endpointId })
    const known = this.#known.get(key)
    if (known) known.hintedInRound = this.#round
    else if (this.#known.size >= MAX_HINTS) this.isPartial = true
    else this.#known.set(key, { workspaceId, endpointId, askCount: FIRST_ASK, after: '', hintedInRound: this.#round })
  }

  /** Where the next look continues. */
  get nextLook(): LookOptions {
    const endpoints = this.#isAlone ? ENDPOINTS_ALONE : ENDPOINTS
    const after = this.#after
    let behind = [...this.#behind]
    if (behind.length > BEHIND_PER_LOOK) {
      const next = behind.filter(([workspaceId]) => workspaceId > after)
      behind = next.sort(([one], [other]) => (one < other ? -1 : 1)).slice(0, BEHIND_PER_LOOK)
    }
    return { after, endpoints, behind: Object.fromEntries(behind) }
  }

  looked({ lanes, next }: Look): void {
    const { after = '', endpoints = 0 } = this.nextLook
    const before = new Map(this.#known)
    for (const [key, known] of before) {
      // Rows that were released before `after` are asked for again.
      known.after = ''
      if (known.hintedInRound < 0) this.#known.delete(key)
    }
    const workspaces = Map.groupBy(lanes, ({ workspaceId }) => workspaceId)
    this.isPaged = next !== '' || after !== ''
    let isPartial = this.isPaged
    for (const [workspaceId, shown] of workspaces) {
      const isShort = shown.length < endpoints
      if (this.#behind.delete(workspaceId) || !isShort) isPartial = true
      const last = shown.reduce((most, { endpointId }) => (endpointId > most ? endpointId : most), '')
      if (!isShort && this.#behind.size < MAX_BEHIND) this.#behind.set(workspaceId, last)
      for (const ref of shown) {
        const key = keyOf(ref)
        this.#known.set(key, before.get(key) ?? { ...ref, askCount: FIRST_ASK, after: '', hintedInRound: -1 })
      }
    }
    // A workspace that has no lanes behind its last endpoint starts again from its first.
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
   * Divides the room: one row at a time to the workspace with the fewest claims in flight, and within it to its lanes in
   * rotation, each up to the rows that would start soon. Lent slots go only to lanes that may borrow.
   */
  allot({ rows, lent }: Room): LaneShare[] {
    this.#round++
    const tenants = this.#tenantRooms()
    const isOnly = this.#known.size === 1
    const shares = new Map<Lane, Required<LaneShare>>()
    let left = rows
    for (let beyond = lent; left > 0 || beyond > 0;) {
      const isLent = left <= 0
      const tenant = leastInFlight(tenants)
      const next = tenant?.lanes.shift()
      if (!tenant || !next) break
      const { lane, known } = next
      let share = shares.get(lane)
      if ((!share && shares.size >= MAX_SHARES) || (isLent && !this.#lanes.mayBorrow(lane, tenant.before))) continue
      if (!share) {
        const { workspaceId, endpointId, after } = known
        shares.set(lane, (share = { workspaceId, endpointId, count: 0, after }))
      }
      share.count++
      tenant.inFlight++
      tenant.before++
      if (isLent) beyond--
      else left--
      const most = Math.min(MAX_ASK, next.room, isOnly ? MAX_ASK : known.askCount)
      if (share.count < most) tenant.lanes.push(next)
    }
    return [...shares.values()]
  }

  #tenantRooms(): TenantRoom[] {
    const tenants = new Map<string, TenantRoom>()
    for (const known of this.#known.values()) {
      const lane = this.#lanes.laneFor(known)
      const room = this.#lanes.roomFor(lane)
      if (room === 0) continue
      const { workspaceId, running, waiting } = lane.tenant
      let tenant = tenants.get(workspaceId)
      if (!tenant) {
        tenant = { inFlight: running + waiting, before: this.#lanes.provenWaiting(lane.tenant), lanes: [] }
        tenants.set(workspaceId, tenant)
      }
      tenant.lanes.push({ lane, known, room })
    }
    return [...tenants.values()]
  }

  /**
   * Learns from the claims, in the order of their ids: a lane that returned fewer rows than asked has no more behind `after`.
   * A retry among the claims may move `after` too far; the next look resets it.
   */
  took(shares: readonly LaneShare[], claims: readonly Claim[], exhausted: number): void {
    const found = new Map<Lane, { count: number; last: string }>()
    for (const claim of claims) {
      const lane = this.#lanes.laneFor(claim)
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
      // Exhausted rows came from some lane, we do not know which: counted for each, so that it is asked again.
      const { count = 0, last = '' } = found.get(this.#lanes.laneFor(share)) ?? {}
      const isFull = count + exhausted >= share.count
      // Deleted and set again, so that it comes after the others. A lane hinted in this round may have rows that the claim
      // was too early to see.
      this.#known.delete(key)
      if (isFull) this.#known.set(key, { ...known, after: last, askCount: Math.min(MAX_ASK, known.askCount * 2) })
      else if (known.hintedInRound === this.#round || share.after)
        this.#known.set(key, { ...known, after: '', askCount: FIRST_ASK })
    }
  }
}

interface TenantRoom {
  inFlight: number
  /** Claims of the workspace that wait or are allotted, and would take a lent slot first. */
  before: number
  lanes: { lane: Lane; known: Known; room: number }[]
}

function leastInFlight(tenants: readonly TenantRoom[]): TenantRoom | undefined {
  let least: TenantRoom | undefined
  for (const tenant of tenants) {
    if (tenant.lanes.length > 0 && (!least || tenant.inFlight < least.inFlight)) least = tenant
  }
  return least
}
