import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'

const RETENTION_MS = raw(String(30 * 86_400_000))

/** Deletes jobs that ended 30 days ago, at most `limit`. */
export function cleanupReplaysStatement({ dialect }: OutboxDatabase, limit: number): SqlText {
  const old = sqlText`
    select old.id from keepsend_replays as old ${dialect.by('keepsend_replays_ended')}
    where old.ended_at is not null and old.ended_at < ${clock()} - ${RETENTION_MS}
    order by old.ended_at ${dialect.first(limit)} ${dialect.lock('pick', 'old')}`
  return sqlText`delete from keepsend_replays where id ${dialect.among(old)}`
}
