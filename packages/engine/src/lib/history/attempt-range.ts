import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, onlyRow, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt, firstIdAtTime } from './attempt-id.ts'
import type { HistoryOptions } from './history-options.ts'
import { ownRetention } from './workspace-retention.ts'

const DAY_MS = 86_400_000

/** How long attempts are retained, and of which workspace; undefined: of all. */
interface Retained extends Pick<HistoryOptions, 'retentionMs' | 'bodiesRetentionMs'> {
  workspaceId: string | undefined
}

/**
 * The conditions on the ids of a list: a time has a range of them. On Postgres both ends are numbers, from a clock that was read
 * before, because only those prune partitions before the planner opens each. An attempt with a later time than a day from now
 * is not listed there until then: its clock was wrong. `hasBody` holds for those whose headers and body are retained.
 */
export async function attemptRange(
  db: OutboxDatabase,
  { retentionMs, bodiesRetentionMs, workspaceId }: Retained,
  { before, since, until }: { before?: string | undefined; since?: number | undefined; until?: number | undefined },
): Promise<{ range: SqlText[]; hasBody: SqlText }> {
  const at = (ms: SqlText): SqlText => firstIdAt(db.dialect.name, ms)
  const isPartitioned = db.dialect.name === 'postgres'
  const now = isPartitioned ? await timeOf(db) : undefined
  const retained = retainedIds(db, { retentionMs, bodiesRetentionMs, workspaceId }, now)
  const bounds = [sqlText`attempt.id >= ${retained.first}`]
  if (now !== undefined) {
    bounds.push(
      sqlText`attempt.id >= ${at(clock(now - retentionMs))}`,
      sqlText`attempt.id < ${at(clock(now + DAY_MS))}`,
    )
  }
  const atTime = (ms: number): SqlText => sqlText`cast(${firstIdAtTime(db.dialect.name, ms)} as bigint)`
  if (since !== undefined) bounds.push(sqlText`attempt.id >= ${atTime(since)}`)
  if (until !== undefined) bounds.push(sqlText`attempt.id < ${atTime(until)}`)
  if (before !== undefined) bounds.push(sqlText`attempt.id < cast(${before} as bigint)`)
  return { range: bounds, hasBody: retained.hasBody }
}

/** The first id of a workspace that is retained, and whether the body of an `attempt` is. */
export function retainedIds(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { retentionMs, bodiesRetentionMs, workspaceId }: Retained,
  now?: number,
): { first: SqlText; hasBody: SqlText } {
  const own = (column: 'attempts_ms' | 'bodies_ms', mostMs: number): SqlText =>
    firstIdAt(dialect.name, sqlText`${clock(now)} - ${ownRetention({ dialect }, column, { workspaceId, mostMs })}`)
  return {
    first: own('attempts_ms', retentionMs),
    hasBody: sqlText`attempt.id >= ${own('bodies_ms', bodiesRetentionMs)}`,
  }
}

async function timeOf(db: OutboxDatabase): Promise<number> {
  return onlyRow((await db.run<{ now: number }>(raw('select ms as "now" from keepsend_clock'))).rows).now
}
