import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt } from '../id-at.ts'

/** Deletes actions past their retention, at most `limit`. */
export function cleanupAuditStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { retentionMs, limit }: { retentionMs: number; limit: number },
): SqlText {
  const old = sqlText`
    select id from keepsend_audit as old_action where id < ${firstIdAt(dialect.name, 'aud_', sqlText`${clock()} - ${retentionMs}`)}
    order by id ${dialect.first(limit)} ${dialect.lock('pick', 'old_action')}`
  return sqlText`delete from keepsend_audit where id ${dialect.among(old)}`
}
