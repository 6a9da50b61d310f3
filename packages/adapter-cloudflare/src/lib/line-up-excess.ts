import type { SettleEachResult } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import type { TakenEvent } from '@keepsend/outbox'
import type { QueuePolicy } from './queue-policy.ts'
import type { TopUps } from './top-up.ts'
import type { Item } from './fair-queue.ts'

// Once messages wait longer than this behind others, a workspace gets at most MAX_FIRST_ATTEMPTS of a batch.
const BEHIND_MS = 2000
const MAX_FIRST_ATTEMPTS = 5

/** The result of {@link lineUpExcess}: a result for each row that was to be released to its lane. */
export interface LineUpResult<T extends Item> extends Pick<
  SettleEachResult<{ item: T } & Release>,
  'results' | 'claimed'
> {
  /** The rows that remain to be sent. */
  left: T[]
}

interface Release {
  claim: TakenEvent
  outcome: { kind: 'release' }
}

/**
 * While the queue is behind, releases to their lanes the first attempts of a workspace that has more than five of them in the
 * batch: one commit instead of a request for each, so that the messages behind them are reached. The same commit takes some
 * rows from those lanes, and their messages go to the end of the queue, so that the workspace continues there.
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
  const excess = large.flatMap(([, group]) => group)
  const released = excess.map((item) => ({ item, claim: item.row, outcome: { kind: 'release' } as const }))
  const { results, claimed, storageError } = await engine.worker.settleEach(released, { claim: topUps.take(counts) })
  if (storageError !== undefined) {
    engine.logger.error(
      { ...errorFields(storageError), messages: excess.length },
      'failed to release rows to their lanes; their messages will come back',
    )
  }
  const isExcess = new Set(excess)
  return { left: items.filter((item) => !isExcess.has(item)), results, claimed }
}

function isFirstAttempt({ row: { claimedAt, attempts, deferrals, crashes } }: Item): boolean {
  return claimedAt === null && attempts + deferrals + crashes === 0
}

function workspaceOf({ row }: Item): string {
  return row.workspaceId
}
