import { type OutboxDatabase, cleanupOldEvents, clock, limitTo, sqlText } from '@keepsend/outbox'
import { cleanupIdempotency } from './idempotency.ts'
import { wakeStrays } from './wake.ts'

/** What one round of upkeep did. */
export interface Upkeep {
  /** Settled rows past their retention. */
  deletedRows: number
  /** Idempotency records past their week. */
  deletedRecords: number
  /** Signing secrets past their overlap. */
  deletedSecrets: number
  /** Enabled endpoints with held rows that had no time at which they are resumed, or one that no honest clock could have set. */
  strays: number
  /** There was more than one round may do. */
  more: boolean
}

const ROUND = 500

/** One bounded round of upkeep, for a poller's or a cron's slow cadence. */
export async function maintain(db: OutboxDatabase, options: { retentionMs: number; openMs: number }): Promise<Upkeep> {
  const rows = await cleanupOldEvents(db, { retentionMs: options.retentionMs, batchSize: ROUND })
  const deletedRecords = await cleanupIdempotency(db, ROUND)
  const expired = await db.run(sqlText`
    delete from keepsend_secrets where (endpoint_id, scheme, version) in (
      select endpoint_id, scheme, version from keepsend_secrets where expires_at <= ${clock()} ${limitTo(ROUND)})`)
  const { changes: strays } = await db.run(wakeStrays(db, ROUND, options.openMs))
  return {
    deletedRows: rows.deleted,
    deletedRecords,
    deletedSecrets: expired.changes,
    strays,
    more: rows.more || strays === ROUND || expired.changes === ROUND || deletedRecords === ROUND,
  }
}
