import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'

const RETENTION_MS = raw(String(30 * 86_400_000))

/** Deletes links that expired 30 days ago, at most `limit`. */
export function cleanupPortalLinksStatement({ dialect }: OutboxDatabase, limit: number): SqlText {
  const old = sqlText`
    select old.id from keepsend_portal_links as old ${dialect.by('keepsend_portal_links_expiry')}
    where old.expires_at < ${clock()} - ${RETENTION_MS}
    order by old.expires_at ${dialect.first(limit)} ${dialect.lock('pick', 'old')}`
  return sqlText`delete from keepsend_portal_links where id ${dialect.among(old)}`
}
