import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, onlyRow, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt } from './attempt-id.ts'

const DAY_MS = 86_400_000

/**
 * The conditions on the ids of a list: a time has a range of them. On Postgres both ends are numbers, from a clock that was read
 * before, because only those prune partitions before the planner opens each. An attempt with a later time than a day from now
 * is not listed there until then: its clock was wrong.
 */
export async function attemptRange(
  db: OutboxDatabase,
  retentionMs: number,
  { before, since, until }: { before?: string | undefined; since?: number | undefined; until?: number | undefined },
): Promise<SqlText[]> {
  const at = (ms: SqlText): SqlText => firstIdAt(db.dialect.name, ms)
  const isPartitioned = db.dialect.name === 'postgres'
  const now = isPartitioned ? await timeOf(db) : undefined
  const bounds = [sqlText`attempt.id >= ${at(sqlText`${clock(now)} - ${retentionMs}`)}`]
  if (now !== undefined) bounds.push(sqlText`attempt.id < ${at(clock(now + DAY_MS))}`)
  if (since !== undefined) bounds.push(sqlText`attempt.id >= ${at(clock(since))}`)
  if (until !== undefined) bounds.push(sqlText`attempt.id < ${at(clock(until))}`)
  if (before !== undefined) bounds.push(sqlText`attempt.id < cast(${before} as bigint)`)
  return bounds
}

async function timeOf(db: OutboxDatabase): Promise<number> {
  return onlyRow((await db.run<{ now: number }>(raw('select ms as "now" from keepsend_clock'))).rows).now
}
