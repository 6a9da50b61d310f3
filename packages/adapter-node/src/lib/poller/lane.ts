import type { AttemptFacts } from '@keepsend/engine'
import type { Claim, LaneRef } from '@keepsend/outbox'
import type { Placed } from '../swap-remove-set.ts'
import type { HostSlots } from './host-slots.ts'

/** A claim in flight: claimed here and not settled. If its lease is lost, another worker owns the row and our settle answers `lost`. */
export interface InFlightClaim extends Placed {
  readonly claim: Claim
  readonly lane: Lane
  /** Slot time of its rate limit, on the monotonic clock; 0 without a limit. */
  readonly notBefore: number
  /** When it could have started: the claim or its slot time, whichever is later; monotonic. */
  readonly since: number
  /** After this its slot time has expired and it needs another one; Infinity without a limit. Monotonic. */
  readonly startBy: number
  /** Must not start after this, monotonic: its lease may expire, and another worker may own the row. Moved by each renewal. */
  beginBy: number
  /** Runs in a slot beyond `concurrency`. */
  isLent: boolean
  /** The host whose slot it holds: the endpoint's URL may change while it runs. */
  host?: string | undefined
}

/** The claims in flight of one endpoint, and how fast it answers. */
export interface Lane extends LaneRef {
  readonly tenant: Tenant
  readonly waiting: InFlightClaim[]
  running: number
  /** Running attempts in lent slots that started before the endpoint had ever answered. */
  lentUnproven: number
  /** The endpoint's own `concurrency`. */
  limit: number | undefined
  /** Of its URL; undefined before its first claim. */
  host: string | undefined
  /** Moving average of its response time: rises with the first slow response, falls by a quarter of the difference. */
  latencyMs: number | undefined
  /** Response time of the last attempt; undefined before the first. */
  lastLatencyMs: number | undefined
  /** Last response, or first start after being idle: the reference for "silent". Monotonic. */
  lastProgressAt: number
  /** Concurrent attempts after a pause or an overload response; Infinity once the endpoint has recovered. */
  inFlightLimit: number
  /** Its rate limit refused a claim: nothing is claimed of it until a timer clears this. */
  isRefused: boolean
  /** Rows to claim at most, learnt from how many slot times its rate limit granted. */
  slotTimes: number
}

/** How a receiver responded to an attempt. */
export interface Answer extends Pick<AttemptFacts, 'tookMs' | 'pushback'> {
  isSuccess: boolean
}

/** The claims in flight of one workspace. */
export interface Tenant {
  readonly workspaceId: string
  running: number
  waiting: number
  /** Its lanes with claims that wait or run, those that ran longest ago first. */
  readonly lanes: Set<Lane>
  /** All its remembered lanes, by endpoint id. */
  readonly known: Map<string, Lane>
}

export interface LaneOptions {
  /** Concurrent attempts of all endpoints, without lent slots. */
  concurrency: number
  /** A workspace borrows slots only while it runs fewer than this. */
  slotsPerWorkspace: number
  /** Concurrent attempts of one endpoint, unless it answers fast. */
  slotsPerEndpoint: number
  /** Attempts in flight by destination host. */
  hosts: HostSlots
  /** Monotonic milliseconds. */
  clock: () => number
}

/** An endpoint that answers within this frees a slot so soon that it may use all free slots. */
const FAST_MS = 50
/** Rows that will not start within this are not claimed; claims that have waited twice as long are released. */
export const START_WITHIN_MS = 250
/**
 * An endpoint that answered within this, and is not silent for longer, is proven: it may borrow a slot, because it will
 * free it about as soon. Longer than most receivers take, and short beside a deadline.
 */
const PROVEN_MS = 1000

export function newLane({ workspaceId, endpointId }: LaneRef, tenant: Tenant, now: number): Lane {
  return {
    workspaceId,
    endpointId,
    tenant,
    waiting: [],
    running: 0,
    lentUnproven: 0,
    limit: undefined,
    host: undefined,
    latencyMs: undefined,
    lastLatencyMs: undefined,
    lastProgressAt: now,
    inFlightLimit: Infinity,
    isRefused: false,
    slotTimes: Infinity,
  }
}

/** Updates the endpoint's response times and its limit from a response. */
export function recordAnswer(lane: Lane, answer: Answer, options: LaneOptions): void {
  const { tookMs } = answer
  adjustInFlightLimit(lane, answer, options)
  lane.lastProgressAt = options.clock()
  lane.lastLatencyMs = tookMs
  // One slow response counts fully, fast ones only gradually.
  const before = lane.latencyMs ?? tookMs
  lane.latencyMs = tookMs > before ? tookMs : before + (tookMs - before) / 4
}

/** One attempt in flight after a pause; doubles with each success, halves with each response that asks for a pause or reports overload. */
function adjustInFlightLimit(
  lane: Lane,
  { pushback, isSuccess }: Answer,
  { concurrency, slotsPerEndpoint }: LaneOptions,
): void {
  if (pushback !== 'none') {
    const before = lane.inFlightLimit < Infinity ? lane.inFlightLimit : pushback === 'paused' ? 1 : slotsPerEndpoint
    lane.inFlightLimit = Math.max(1, Math.floor(before / 2))
  } else if (isSuccess && lane.inFlightLimit < Infinity) {
    lane.inFlightLimit = lane.inFlightLimit * 2 < concurrency ? lane.inFlightLimit * 2 : Infinity
  }
}

/** How many of its waiting claims its own limits allow to start now. */
export function canStart(lane: Lane, options: LaneOptions, now: number): number {
  if (waitsForSlotTime(lane, now)) return 0
  return Math.max(0, Math.min(lane.waiting.length, slotLimit(lane, options, now) - lane.running))
}

/** How many of its waiting claims need only a free slot; the others wait for the lane's own limit or for a slot time. */
export function runnableCount(lane: Lane, options: LaneOptions, now: number): number {
  // A lane that may use all slots waits for nothing but a slot.
  const isLimited = slotLimit(lane, options, now) < options.concurrency
  return isLimited || waitsForSlotTime(lane, now) ? canStart(lane, options, now) : lane.waiting.length
}

/** How many attempts may run: the endpoint's own `concurrency` lowers our limit and never raises it, and its host has a limit for all endpoints. */
function slotLimit(lane: Lane, { concurrency, slotsPerEndpoint, hosts }: LaneOptions, now: number): number {
  const isFast = lane.latencyMs !== undefined && lane.latencyMs < FAST_MS && !isSilent(lane, FAST_MS, now)
  const limit = Math.min(lane.limit ?? Infinity, lane.inFlightLimit, isFast ? concurrency : slotsPerEndpoint)
  return Math.min(limit, lane.running + hosts.room(lane.host))
}

/** How many claims may be in flight: those that may run, and those that will start within {@link START_WITHIN_MS}. */
export function claimLimit(lane: Lane, options: LaneOptions, now: number): number {
  // A claim that waits for a slot of its host would keep a neighbour of the same host, still in line, from that slot.
  if (options.hosts.room(lane.host) === 0) return slotLimit(lane, options, now)
  const isUnknown = lane.latencyMs === undefined || isSilent(lane, FAST_MS, now)
  const latencyMs = isUnknown ? Math.max(lane.latencyMs ?? 0, START_WITHIN_MS * 4) : Math.max(1, lane.latencyMs ?? 0)
  return Math.floor(slotLimit(lane, options, now) * (1 + START_WITHIN_MS / latencyMs))
}

/** Slots beyond `concurrency` that a workspace could borrow. */
interface LoanCredit {
  total: number
  /** Of these, for endpoints that have never answered. */
  onTrust: number
}

/**
 * How many slots a workspace could borrow. Its attempts at silent endpoints do not count against its share (their slots
 * are reclaimed), so its other endpoints go on.
 *
 * @param lentUnproven attempts of all workspaces in lent slots at endpoints that had never answered
 */
export function loanCredit(
  { lanes }: Tenant,
  lentUnproven: number,
  { concurrency, slotsPerWorkspace }: LaneOptions,
  now: number,
): LoanCredit {
  let [proven, unproven, trusted] = [0, 0, 0]
  for (const lane of lanes) {
    if (isProven(lane, now)) proven += lane.running
    else unproven += lane.running
    trusted += lane.lentUnproven
  }
  // A workspace that has unproven endpoints running borrows one slot for another unproven one, and only from half of the
  // slots on trust; the other half is for workspaces that have none running.
  const few = Math.max(1, Math.floor(concurrency / 8))
  const onTrust = unproven === 0 ? 2 * few : trusted === 0 ? few : 0
  return { total: slotsPerWorkspace - proven, onTrust: onTrust - lentUnproven }
}

export function mayBorrow(lane: Lane, { total, onTrust }: LoanCredit, now: number): boolean {
  return total > 0 && (lane.lastLatencyMs === undefined ? onTrust > 0 : isProven(lane, now))
}

/** Answered within {@link PROVEN_MS} last time, and is not silent: a slot that it borrows will be free soon. */
export function isProven(lane: Lane, now: number): boolean {
  return lane.lastLatencyMs !== undefined && lane.lastLatencyMs < PROVEN_MS && !isSilent(lane, PROVEN_MS, now)
}

/** Has attempts running, and no response for longer than `ms`. */
function isSilent(lane: Lane, ms: number, now: number): boolean {
  return lane.running > 0 && now - lane.lastProgressAt > ms
}

/** Its next claim waits for its slot time under a rate limit, or its slot time has expired. */
function waitsForSlotTime({ waiting: [next] }: Lane, now: number): boolean {
  return next !== undefined && (next.notBefore > now || now > next.startBy)
}

/** A lane as one map key. Unambiguous, because no endpoint id has a space. */
export function keyOf({ workspaceId, endpointId }: LaneRef): string {
  return `${endpointId} ${workspaceId}`
}
