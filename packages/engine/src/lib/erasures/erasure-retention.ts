import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, sqlText } from '@keepsend/outbox/internal'

/**
 * How long a tombstone lasts, in ms: longer than a queue holds a message (14 days on Cloudflare), and than a default idempotency
 * record (7 days).
 */
export const TOMBSTONE_MS = 30 * 86_400_000

/** Deletes erasures whose tombstone has ended, at most `limit`. */
export function cleanupErasuresStatement({ dialect }: OutboxDatabase, limit: number): SqlText {
  const old = sqlText`
    select old.id from keepsend_erasures as old ${dialect.by('keepsend_erasures_ended')}
    where old.ended_at is not null and old.guards_until < ${clock()}
    order by old.guards_until ${dialect.first(limit)} ${dialect.lock('pick', 'old')}`
  return sqlText`delete from keepsend_erasures where id ${dialect.among(old)}`
}
