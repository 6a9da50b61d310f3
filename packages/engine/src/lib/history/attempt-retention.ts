import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, allOf, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt } from './attempt-id.ts'
import type { AttemptPartitions } from './attempt-partitions.ts'
import type { Range } from './partition-ranges.ts'

/**
 * Deletes attempts past their retention, oldest first, at most `limit` a call.
 *
 * @param upTo the last id that may be deleted
 */
export async function cleanupAttempts(
  db: OutboxDatabase,
  partitions: AttemptPartitions | undefined,
  { retentionMs, limit, upTo }: { retentionMs: number; limit: number; upTo?: SqlText | undefined },
): Promise<number> {
  const { dialect } = db
  const old = allOf([
    sqlText`old.id < ${firstIdAt(dialect.name, sqlText`${clock()} - ${retentionMs}`)}`,
    ...(upTo ? [sqlText`old.id <= ${upTo}`] : []),
  ])
  if (partitions) {
    return deleteFromLeaves(db, leavesOf(partitions, retentionMs), {
      limit,
      pick: (leaf, most) => sqlText`
        select old.ctid from ${raw(leaf)} as old where ${old}
        order by old.id ${dialect.first(most)} ${dialect.lock('pick', 'old')}`,
    })
  }
  const { changes } = await db.run(sqlText`
    delete from keepsend_attempts where id ${dialect.among(sqlText`
      select old.id from keepsend_attempts as old where ${old} order by old.id ${dialect.first(limit)}`)}`)
  return changes
}

// A partition is dropped when its whole range is past the retention. If it is longer than a tenth of the retention, its rows do
// not wait for that.
const SHARE = 10

/** The partitions that have rows to delete: the default one, and one that is partly past a short retention. */
function leavesOf({ now, attached, default: rest }: AttemptPartitions, retentionMs: number): string[] {
  const before = now - retentionMs
  const isLong = ({ from, to }: Range): boolean => (to - from) * SHARE > retentionMs
  const partly = attached.filter((one) => one.from < before && one.to > before && isLong(one))
  return [...partly.map(({ name }) => name), ...(rest === undefined ? [] : [rest])]
}

/**
 * Deletes rows partition by partition, by `ctid`: 4 µs a row, where the same delete on all of them hashes a whole one (150 µs).
 *
 * @param pick selects and locks at most `most` rows of a partition by their `ctid`
 */
export async function deleteFromLeaves(
  db: OutboxDatabase,
  leaves: readonly string[],
  { limit, pick }: { limit: number; pick: (leaf: string, most: number) => SqlText },
): Promise<number> {
  let deleted = 0
  for (const leaf of leaves) {
    if (deleted === limit) break
    const { changes } = await db.run(
      sqlText`delete from ${raw(leaf)} where ctid ${db.dialect.among(pick(leaf, limit - deleted))}`,
    )
    deleted += changes
  }
  return deleted
}
