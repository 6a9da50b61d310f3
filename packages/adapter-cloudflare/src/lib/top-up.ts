import { attemptNumber } from '@keepsend/engine/internal'
import { type ClaimOptions, type LaneRef, type LaneShare, type OutboxDatabase, lookAtLanes } from '@keepsend/outbox'
import { inTurn } from '@keepsend/outbox/internal'
import type { Ended } from './deliver-batch.ts'
import type { Item } from './fair-queue.ts'

// Lanes of a workspace that one look shows.
const LANES = 32
// Messages that waited less, whose receivers answered within a second: there is room for more of them.
const SHORT_WAIT_MS = 500
const QUICK_ANSWER_MS = 1000
// Messages that waited longer: of twenty that are settled nineteen are dispatched, and never less than five of a batch.
const LONG_WAIT_MS = 1000
const LEAST = 5

/** How many messages of a workspace follow on so many, by how long those waited and how fast they were answered. */
function topUpFor({ settled, before, waitedMs, isQuick }: Settling): number {
  if (waitedMs > LONG_WAIT_MS) return allowed(before + settled) - allowed(before)
  return waitedMs < SHORT_WAIT_MS && isQuick ? settled + Math.ceil(settled / 2) : settled
}

interface Settling {
  settled: number
  /** Of the workspace, settled from the same batch before these. */
  before: number
  waitedMs: number
  /** Each of them was answered within a second. */
  isQuick: boolean
}

function allowed(settled: number): number {
  return Math.max(Math.min(settled, LEAST), Math.floor((settled * 19) / 20))
}

/**
 * The lines of the workspaces of a batch, and what of them is dispatched in the place of what the batch settles: so as
 * many messages of a workspace are on their way as before, or a few more or less, whatever it has in line.
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

  /** Lanes in which rows stand, in the order in which they are to have their turns. */
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

  /** So many rows of each workspace's line, its lanes in turn. */
  take(counts: ReadonlyMap<string, number>): ClaimOptions | undefined {
    const lanes: LaneShare[] = []
    for (const [workspaceId, count] of counts) {
      const known = this.#lanes.get(workspaceId) ?? []
      lanes.push(...inTurn(known, count))
      known.push(...known.splice(0, count % Math.max(1, known.length)))
    }
    return lanes.length > 0 ? { lanes, as: 'sweep', leaseMs: this.#leaseMs } : undefined
  }

  /** What is dispatched in the commit of what has ended. A retry was followed by another when its first attempt was. */
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
 * The lanes of these workspaces, of each the first behind the endpoint that was served last, so that all have their turn.
 * One look; a second for workspaces that have more than it shows.
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
    const turned = next > 0 ? [...lanes.slice(next), ...lanes.slice(0, next)] : lanes
    return [...more.filter((lane) => workspaceOf(lane) === workspaceId), ...turned]
  })
}

function workspaceOf({ workspaceId }: LaneRef): string {
  return workspaceId
}
