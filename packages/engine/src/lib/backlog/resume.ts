import { type OutboxDatabase, resumeNamedStatement } from '@keepsend/outbox'
import { type SqlText, sqlText } from '@keepsend/outbox/internal'
import { isPaused } from './pause.ts'

/**
 * After a settle that held rows: each stays held only while its reason stands. An endpoint that was enabled, has recovered
 * or was deleted since the attempt read it holds nothing. The shared lock makes an enabling that comes now wait until
 * these rows are committed, and it finds them.
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
