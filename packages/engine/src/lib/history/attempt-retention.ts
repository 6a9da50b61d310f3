import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt } from './attempt-id.ts'

/**
 * Deletes attempts past their retention, oldest first, at most `limit` a call.
 *
 * @param upTo the last id that may be deleted
 */
export async function cleanupAttempts(
  db: OutboxDatabase,
  { retentionMs, limit, upTo }: { retentionMs: number; limit: number; upTo?: SqlText | undefined },
): Promise<number> {
  const { dialect } = db
  const old = sqlText`
    select old.id from keepsend_attempts as old
    where old.id < ${firstIdAt(dialect.name, sqlText`${clock()} - ${retentionMs}`)} ${upTo ? sqlText`and old.id <= ${upTo}` : raw('')}
    order by old.id ${dialect.first(limit)} ${dialect.lock('pick', 'old')}`
  const { changes } = await db.run(sqlText`delete from keepsend_attempts where id ${dialect.among(old)}`)
  return changes
}
