import { type OutboxDatabase, resumeNamedStatement } from '@keepsend/outbox'
import { type SqlText, sqlText } from '@keepsend/outbox/internal'
import { isPaused } from './pause.ts'

/**
 * Resumes rows that a settle has just held although their reason has ended: their endpoint was enabled, has recovered or was
 * deleted after the attempt read it. The shared lock makes a concurrent enabling wait until these rows are committed, so that
 * it finds and resumes them.
 */
export function resumeUnlessBlocked(db: OutboxDatabase, ids: readonly string[]): SqlText {
  const isFree = sqlText`not exists (
    select 1 from keepsend_endpoints as endpoint
    where endpoint.id = pending_events.endpoint_id and (
      endpoint.status <> 'enabled'
      or endpoint.circuit = 'open'
      or ${isPaused('endpoint')}
      or pending_events.hold_reason not in ('endpoint_disabled', 'endpoint_paused', 'circuit_open'))
    ${db.dialect.lock('share', 'endpoint')})`
  return resumeNamedStatement(db, ids, isFree)
}
