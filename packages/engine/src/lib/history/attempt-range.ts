import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, onlyRow, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt } from './attempt-id.ts'
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
  const own = (column: 'attempts_ms' | 'bodies_ms', mostMs: number): SqlText =>
    sqlText`attempt.id >= ${at(sqlText`${clock(now)} - ${ownRetention(db, column, { workspaceId, mostMs })}`)}`
  const bounds = [own('attempts_ms', retentionMs)]
  if (now !== undefined) {
    bounds.push(
      sqlText`attempt.id >= ${at(clock(now - retentionMs))}`,
      sqlText`attempt.id < ${at(clock(now + DAY_MS))}`,
    )
  }
  if (since !== undefined) bounds.push(sqlText`attempt.id >= ${at(clock(since))}`)
  if (until !== undefined) bounds.push(sqlText`attempt.id < ${at(clock(until))}`)
  if (before !== undefined) bounds.push(sqlText`attempt.id < cast(${before} as bigint)`)
  return { range: bounds, hasBody: own('bodies_ms', bodiesRetentionMs) }
}

async function timeOf(db: OutboxDatabase): Promise<number> {
  return onlyRow((await db.run<{ now: number }>(raw('select ms as "now" from keepsend_clock'))).rows).now
}
