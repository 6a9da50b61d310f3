import type { AttemptFacts } from '@keepsend/engine'
import type { Claim, LaneRef } from '@keepsend/outbox'
import type { Placed } from '../swap-remove-set.ts'
import type { HostSlots } from './host-slots.ts'

/** A claim in hand. Its attempt is another's once the lease is lost, and then its settle says so. */
export interface InFlightClaim extends Placed {
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
  /** Where it was sent. */
  host?: string | undefined
}

/** One endpoint's claims in hand, and how fast it answers. */
export interface Lane extends LaneRef {
  readonly tenant: Tenant
  readonly waiting: InFlightClaim[]
  running: number
  /** Of those, the ones that run in lent slots, and began before it had ever answered. */
  lentUnproven: number
  /** What the endpoint itself wishes at once. */
  limit: number | undefined
  /** Of its URL; undefined before its first claim. */
  host: string | undefined
  /** How long it takes to answer, lately; undefined before its first answer. */
  latencyMs: number | undefined
  /** How long its last answer took; undefined before its first answer. */
  lastLatencyMs: number | undefined
  /** When it answered last, or began to run after it did not. */
  lastProgressAt: number
  /** Attempts at once, after it has asked for a wait or was overloaded; Infinity once it has taken enough again. */
  inFlightLimit: number
  /** Nothing more is claimed of it until it is asked again: its rate limit has no slot time in sight. */
  isRefused: boolean
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
  /** All that are remembered, by their endpoints. */
  readonly known: Map<string, Lane>
}

export interface LaneOptions {
  /** Attempts at once, of all endpoints. */
  concurrency: number
  /** The share of a workspace while others have rows. */
  slotsPerWorkspace: number
  /** Attempts at once of one endpoint, unless it answers fast. */
  slotsPerEndpoint: number
  /** What runs, by destination host. */
  hosts: HostSlots
  /** Monotonic milliseconds. */
  clock: () => number
}

/** An endpoint that answers within this gives a slot back so soon that it may have as many as are free. */
const FAST_MS = 50
/** What will not begin within this is not claimed; what has not after twice as long goes back in line. */
export const SILENT_AFTER_MS = 250
/**
 * An endpoint whose last answer took less, and that is not silent for longer, may borrow a slot: it is given back within
 * that time. Longer than most receivers need, and short beside a deadline.
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

/** Learns from an answer how fast the endpoint is, and how much it takes. */
export function recordAnswer(lane: Lane, answer: Answer, options: LaneOptions): void {
  const { tookMs } = answer
  pace(lane, answer, options)
  lane.lastProgressAt = options.clock()
  lane.lastLatencyMs = tookMs
  // Slow counts at once, fast has to be shown.
  const before = lane.latencyMs ?? tookMs
  lane.latencyMs = tookMs > before ? tookMs : before + (tookMs - before) / 4
}

/**
 * After a pause one at a time, twice as many with each success, half with each answer that asks for a wait or says that
 * the receiver is overloaded.
 */
function pace(lane: Lane, { pushback, isSuccess }: Answer, { concurrency, slotsPerEndpoint }: LaneOptions): void {
  if (pushback !== 'none') {
    const before = lane.inFlightLimit < Infinity ? lane.inFlightLimit : pushback === 'paused' ? 1 : slotsPerEndpoint
    lane.inFlightLimit = Math.max(1, Math.floor(before / 2))
  } else if (isSuccess && lane.inFlightLimit < Infinity) {
    lane.inFlightLimit = lane.inFlightLimit * 2 < concurrency ? lane.inFlightLimit * 2 : Infinity
  }
}

/** Claims of it that could run now, if slots were free. */
export function canStart(lane: Lane, options: LaneOptions, now: number): number {
  if (isOutOfTime(lane, now)) return 0
  return Math.max(0, Math.min(lane.waiting.length, mayRun(lane, options, now) - lane.running))
}

/** Claims of it that would run if slots were free: the others wait for one of its own, or for their slot time. */
export function runnableCount(lane: Lane, options: LaneOptions, now: number): number {
  // One that may have all slots waits for nothing else.
  const isOwn = mayRun(lane, options, now) < options.concurrency
  return isOwn || isOutOfTime(lane, now) ? canStart(lane, options, now) : lane.waiting.length
}

/** The endpoint's own limit is a wish within ours, and its host has one for all endpoints. */
function mayRun(lane: Lane, { concurrency, slotsPerEndpoint, hosts }: LaneOptions, now: number): number {
  const isFast = lane.latencyMs !== undefined && lane.latencyMs < FAST_MS && !isSilent(lane, FAST_MS, now)
  const most = Math.min(lane.limit ?? Infinity, lane.inFlightLimit, isFast ? concurrency : slotsPerEndpoint)
  return Math.min(most, lane.running + hosts.room(lane.host))
}

/** In hand: what may run, and what will have begun within {@link SILENT_AFTER_MS}. */
export function slotLimit(lane: Lane, options: LaneOptions, now: number): number {
  // What would wait in hand for a slot at its host would take it from a neighbour that is still in line.
  if (options.hosts.room(lane.host) === 0) return mayRun(lane, options, now)
  const isUnknown = lane.latencyMs === undefined || isSilent(lane, FAST_MS, now)
  const latencyMs = isUnknown ? Math.max(lane.latencyMs ?? 0, SILENT_AFTER_MS * 4) : Math.max(1, lane.latencyMs ?? 0)
  return Math.floor(mayRun(lane, options, now) * (1 + SILENT_AFTER_MS / latencyMs))
}

/** Slots beyond `concurrency` that a workspace could have. */
interface Credit {
  /** For endpoints that have lately answered soon. */
  proven: number
  /** Of those, for endpoints that have not been asked yet. */
  trust: number
}

/**
 * What would be lent to a workspace. What it has running at endpoints that do not answer does not count: its others go on.
 *
 * @param lentUnproven of all workspaces, attempts in lent slots at endpoints that had never answered
 */
export function claimLimit(
  { lanes }: Tenant,
  lentUnproven: number,
  { concurrency, slotsPerWorkspace }: LaneOptions,
  now: number,
): Credit {
  let [proven, unproven, trusted] = [0, 0, 0]
  for (const lane of lanes) {
    if (isProven(lane, now)) proven += lane.running
    else unproven += lane.running
    trusted += lane.lentUnproven
  }
  // A workspace with others that have not answered has one slot on trust, and half of those are kept for the others.
  const few = Math.max(1, Math.floor(concurrency / 8))
  const trust = unproven === 0 ? 2 * few : trusted === 0 ? few : 0
  return { proven: slotsPerWorkspace - proven, trust: trust - lentUnproven }
}

export function mayBorrow(lane: Lane, { proven, trust }: Credit, now: number): boolean {
  return proven > 0 && (lane.lastLatencyMs === undefined ? trust > 0 : isProven(lane, now))
}

/** It has lately answered soon: a slot that it borrows is given back soon. */
export function isProven(lane: Lane, now: number): boolean {
  return lane.lastLatencyMs !== undefined && lane.lastLatencyMs < PROVEN_MS && !isSilent(lane, PROVEN_MS, now)
}

function isSilent(lane: Lane, ms: number, now: number): boolean {
  return lane.running > 0 && now - lane.lastProgressAt > ms
}

/** Its next claim waits for its slot time under a rate limit, or has missed it. */
function isOutOfTime({ waiting: [next] }: Lane, now: number): boolean {
  return next !== undefined && (next.notBefore > now || now > next.startBy)
}

/** A lane's name as one text: no endpoint id has a space. */
export function keyOf({ workspaceId, endpointId }: LaneRef): string {
  return `${endpointId} ${workspaceId}`
}
