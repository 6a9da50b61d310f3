import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt } from '../id-at.ts'

/** Deletes actions past their retention, at most `limit` a call. Returns how many. */
export async function cleanupAudit(
  db: OutboxDatabase,
  { retentionMs, limit }: { retentionMs: number; limit: number },
): Promise<number> {
  const { dialect } = db
  const old = sqlText`
    select id from keepsend_audit as old where id < ${firstIdAt(dialect.name, 'aud_', sqlText`${clock()} - ${retentionMs}`)}
    order by id ${dialect.first(limit)} ${dialect.lock('pick', 'old')}`
  const { changes } = await db.run(sqlText`delete from keepsend_audit where id ${dialect.among(old)}`)
  return changes
}
