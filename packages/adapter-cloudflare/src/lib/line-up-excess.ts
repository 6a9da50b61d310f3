import type { SettleEachResult } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import type { TakenEvent } from '@keepsend/outbox'
import type { QueuePolicy } from './queue-policy.ts'
import type { TopUps } from './top-up.ts'
import type { Item } from './fair-queue.ts'

// Once messages wait longer than this behind others, a workspace has no more first attempts of a batch than it has slots.
const BEHIND_MS = 2000
const MAX_FIRST_ATTEMPTS = 5

/** What {@link lineUpExcess} did: a row for each that was to be put in line, with what became of that. */
export interface LineUpResult<T extends Item> extends Pick<
  SettleEachResult<{ item: T } & Release>,
  'results' | 'claimed'
> {
  /** The rows that are still to be sent. */
  left: T[]
}

interface Release {
  claim: TakenEvent
  outcome: { kind: 'release' }
}

/**
 * Puts first attempts in line where the queue is behind and one workspace has more than five of them in the batch: a
 * commit for all of them instead of a request for each, so that what stands behind them is reached. In the same commit some
 * are taken from the line, whose messages go to the end of the queue: with these its window begins, or goes on.
 */
export async function lineUpExcess<T extends Item>(
  { engine }: Pick<QueuePolicy, 'engine'>,
  items: readonly T[],
  { topUps, waitedMs }: { topUps: TopUps; waitedMs: number },
): Promise<LineUpResult<T>> {
  const groups = waitedMs > BEHIND_MS ? Map.groupBy(items.filter(isFirstAttempt), workspaceOf) : new Map<string, T[]>()
  const large = [...groups].filter(([, group]) => group.length > MAX_FIRST_ATTEMPTS)
  if (large.length === 0) return { left: [...items], results: [], claimed: { claims: [], exhausted: [] } }
  const counts = new Map<string, number>()
  for (const [workspaceId, group] of large) {
    counts.set(workspaceId, topUps.hasLine(workspaceId) ? Math.ceil(group.length / 10) : MAX_FIRST_ATTEMPTS)
    topUps.add(group.map(({ row }) => ({ workspaceId, endpointId: row.endpointId })))
  }
  const aside = large.flatMap(([, group]) => group)
  const released = aside.map((item) => ({ item, claim: item.row, outcome: { kind: 'release' } as const }))
  const { results, claimed, storageError } = await engine.worker.settleEach(released, { claim: topUps.take(counts) })
  if (storageError !== undefined) {
    engine.logger.error(
      { ...errorFields(storageError), messages: aside.length },
      'rows could not be put in line; their messages will come back',
    )
  }
  const gone = new Set(aside)
  return { left: items.filter((item) => !gone.has(item)), results, claimed }
}

function isFirstAttempt({ row: { claimedAt, attempts, deferrals, crashes } }: Item): boolean {
  return claimedAt === null && attempts + deferrals + crashes === 0
}

function workspaceOf({ row }: Item): string {
  return row.workspaceId
}
