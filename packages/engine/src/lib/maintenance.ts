import { type OutboxDatabase, cleanupOldEvents, cleanupPayloads, expireEvents } from '@keepsend/outbox'
import { EXPIRED, clock, limitTo, sqlText } from '@keepsend/outbox/internal'
import { cleanupIdempotency } from './idempotency/idempotency.ts'
import { lockDeliveries } from './backlog/locks.ts'
import type { Logger } from './logger.ts'
import type { CircuitOptions } from './health/circuit-breaker.ts'
import type { Notifier } from './health/operational-webhooks.ts'
import { type HeldRowsMaintenance, maintainHeldRows } from './backlog/orphans.ts'

/** What one round of upkeep did. */
export interface MaintenanceResult extends HeldRowsMaintenance {
  /** Deliveries that were not settled in the time that they had, failed now. */
  expired: number
  /** Settled rows past their retention. */
  deletedRows: number
  /** Payloads that were stored once, and of whose event no delivery is left. */
  deletedPayloads: number
  /** Idempotency records past their retention. */
  deletedRecords: number
  /** Signing secrets past their overlap. */
  deletedSecrets: number
  /** There was more than one round may do. */
  more: boolean
}

export interface MaintenanceDeps {
  circuit: CircuitOptions
  db: OutboxDatabase
  logger: Logger
  reporter: Notifier | undefined
  retentionMs: number
  failedRetentionMs: number
  maxAgeMs: number
  idempotencyRetentionMs: number
}

const ROUND = 500
// Each report is a statement of the same transaction.
const REPORTED_ROUND = 50

/** One bounded round of upkeep, for a poller's or a cron's slow cadence. */
export async function maintain(deps: MaintenanceDeps): Promise<MaintenanceResult> {
  const { db, logger, retentionMs, failedRetentionMs, idempotencyRetentionMs } = deps
  const rows = await cleanupOldEvents(db, { retentionMs, failedRetentionMs, batchSize: ROUND })
  const payloads = await cleanupPayloads(db, { batchSize: ROUND })
  const deletedRecords = await cleanupIdempotency(db, { retentionMs: idempotencyRetentionMs, limit: ROUND })
  const oldSecrets = await db.run(sqlText`
    delete from keepsend_secrets where (endpoint_id, scheme, version) in (
      select endpoint_id, scheme, version from keepsend_secrets where expires_at <= ${clock()} ${limitTo(ROUND)})`)
  const held = await maintainHeldRows(db, deps.circuit.openMs)
  const { orphanedHolds, orphaned } = held
  if (orphanedHolds > 0)
    logger.warn({ endpoints: orphanedHolds }, 'endpoints had no time at which to resume what is held; they have one')
  if (orphaned > 0)
    logger.warn({ deliveries: orphaned }, 'deliveries were held for endpoints that are gone; failed now')
  const expiry = await expire(deps)
  await db.maintain?.()
  return {
    expired: expiry.expired,
    deletedRows: rows.deleted,
    deletedPayloads: payloads.deleted,
    deletedRecords,
    deletedSecrets: oldSecrets.changes,
    ...held,
    more:
      expiry.more ||
      rows.more ||
      payloads.more ||
      held.more ||
      oldSecrets.changes === ROUND ||
      deletedRecords === ROUND,
  }
}

/** What is too old to be sent. `more`: some were, and there may be others; a look that finds none waits for the next round. */
async function expire({
  db,
  logger,
  reporter,
  maxAgeMs,
}: MaintenanceDeps): Promise<{ expired: number; more: boolean }> {
  const { ids, more } = await expireEvents(db, {
    maxAgeMs,
    batchSize: reporter ? REPORTED_ROUND : ROUND,
    // Locked first: what is reported is what expires.
    alongside: (rows) =>
      reporter
        ? [...lockDeliveries(db, rows), ...rows.flatMap((row) => reporter.delivery(row, { error: EXPIRED }))]
        : [],
  })
  const expired = ids.length
  if (expired > 0) {
    logger.warn({ expired, maxAgeMs, deliveryIds: ids.slice(0, 10) }, 'deliveries expired; they are failed now')
  }
  return { expired, more: more && expired > 0 }
}
