import { attemptNumber } from '@keepsend/engine/internal'
import { type ClaimOptions, type LaneRef, type LaneShare, type OutboxDatabase, lookAtLanes } from '@keepsend/outbox'
import { inTurn } from '@keepsend/outbox/internal'
import type { Ended } from './deliver-batch.ts'
import type { Item } from './fair-queue.ts'

// Lanes of a workspace that one look returns.
const LANES = 32
// Messages waited less than this, and receivers answered within a second: the queue has room, so dispatch half as many more.
const SHORT_WAIT_MS = 500
const QUICK_ANSWER_MS = 1000
// Messages waited longer than this: dispatch nineteen for twenty that were settled, but no fewer than five of a batch.
const LONG_WAIT_MS = 1000
const LEAST = 5

/** How many rows of a workspace to dispatch after `settled` ones, by how long their messages waited and how fast receivers answered. */
function topUpFor({ settled, before, waitedMs, isQuick }: Settling): number {
  if (waitedMs > LONG_WAIT_MS) return allowed(before + settled) - allowed(before)
  return waitedMs < SHORT_WAIT_MS && isQuick ? settled + Math.ceil(settled / 2) : settled
}

interface Settling {
  settled: number
  /** Rows of the workspace settled earlier in the same batch. */
  before: number
  waitedMs: number
  /** Every receiver answered within a second. */
  isQuick: boolean
}

function allowed(settled: number): number {
  return Math.max(Math.min(settled, LEAST), Math.floor((settled * 19) / 20))
}

/**
 * Chooses the rows that are dispatched from the lanes of a batch's workspaces in exchange for the rows that the batch settles. So
 * the number of messages of a workspace in the queue stays about the same, whatever its backlog.
 */
export class TopUps {
  readonly #lanes = new Map<string, LaneRef[]>()
  readonly #settled = new Map<string, number>()
  readonly #waitedMs: number
  readonly #leaseMs: number

  /** @param waitedMs how long the messages of the batch waited behind others */
  constructor({ waitedMs, leaseMs }: { waitedMs: number; leaseMs: number }) {
    this.#waitedMs = waitedMs
    this.#leaseMs = leaseMs
  }

  /** Lanes with waiting rows, in the order in which they are dispatched. */
  add(lanes: readonly LaneRef[]): void {
    for (const lane of lanes) {
      const known = this.#lanes.get(lane.workspaceId) ?? []
      this.#lanes.set(lane.workspaceId, known)
      if (!known.some(({ endpointId }) => endpointId === lane.endpointId)) known.push(lane)
    }
  }

  hasLine(workspaceId: string): boolean {
    return this.#lanes.has(workspaceId)
  }

  /** Claims `counts` rows of each workspace, its lanes in rotation. */
  take(counts: ReadonlyMap<string, number>): ClaimOptions | undefined {
    const lanes: LaneShare[] = []
    for (const [workspaceId, count] of counts) {
      const known = this.#lanes.get(workspaceId) ?? []
      lanes.push(...inTurn(known, count))
      known.push(...known.splice(0, count % Math.max(1, known.length)))
    }
    return lanes.length > 0 ? { lanes, as: 'sweep', leaseMs: this.#leaseMs } : undefined
  }

  /** The claim for the commit that settles a group. Only first attempts count: a retry was already exchanged after its first attempt. */
  claimFor(group: readonly Ended<Item>[]): ClaimOptions | undefined {
    const counts = new Map<string, number>()
    const first = group.filter(({ claim }) => attemptNumber(claim) === 1 && claim.deferrals === 0)
    for (const [workspaceId, ended] of Map.groupBy(first, ({ claim }) => claim.workspaceId)) {
      const before = this.#settled.get(workspaceId) ?? 0
      this.#settled.set(workspaceId, before + ended.length)
      const isQuick = ended.every(({ attempted: { attempt } }) => (attempt?.tookMs ?? Infinity) < QUICK_ANSWER_MS)
      const settling = { settled: ended.length, before, waitedMs: this.#waitedMs, isQuick }
      counts.set(workspaceId, topUpFor(settling))
    }
    return this.take(counts)
  }
}

/**
 * Reads the lanes of these workspaces, each starting after the endpoint that was served last, so that they rotate. One look,
 * and a second one for workspaces with more lanes than it returns.
 */
export async function lanesOf(
  db: OutboxDatabase,
  workspaceIds: readonly string[],
  lastServed: ReadonlyMap<string, string>,
): Promise<LaneRef[]> {
  if (workspaceIds.length === 0) return []
  const first = Map.groupBy((await lookAtLanes(db, { only: workspaceIds, endpoints: LANES })).lanes, workspaceOf)
  const full = [...first.keys()].filter((workspaceId) => first.get(workspaceId)?.length === LANES)
  const behind = Object.fromEntries([...lastServed].filter(([workspaceId]) => full.includes(workspaceId)))
  const more = full.length > 0 ? (await lookAtLanes(db, { only: full, endpoints: LANES, behind })).lanes : []
  return workspaceIds.flatMap((workspaceId) => {
    const last = lastServed.get(workspaceId) ?? ''
    const lanes = first.get(workspaceId) ?? []
    const next = lanes.findIndex(({ endpointId }) => endpointId > last)
    const rotated = next > 0 ? [...lanes.slice(next), ...lanes.slice(0, next)] : lanes
    return [...more.filter((lane) => workspaceOf(lane) === workspaceId), ...rotated]
  })
}

function workspaceOf({ workspaceId }: LaneRef): string {
  return workspaceId
}
