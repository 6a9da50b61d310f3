import { type OutboxDatabase, Transaction, cleanupOldEvents, cleanupPayloads, expireEvents } from '@keepsend/outbox'
import { EXPIRED, clock, limitTo, sqlText } from '@keepsend/outbox/internal'
import { cleanupAuditStatement } from './audit/audit-retention.ts'
import { cleanupIdempotency } from './idempotency/idempotency.ts'
import type { HistoryOptions } from './history/history-options.ts'
import { RETAINED_PAYLOADS } from './history/event-retention.ts'
import { type HistoryMaintenance, NO_HISTORY, createHistoryMaintenance } from './history-maintenance.ts'
import { lockDeliveries } from './backlog/locks.ts'
import type { Logger } from './logger.ts'
import type { CircuitOptions } from './health/circuit-breaker.ts'
import type { Notifier } from './health/operational-webhooks.ts'
import { cleanupReplaysStatement } from './replays/replay-retention.ts'
import { cleanupPortalLinksStatement } from './portal-links/portal-link-retention.ts'
import { cleanupErasuresStatement } from './erasures/erasure-retention.ts'
import type { Heartbeat } from './workers.ts'
import { type HeldRowsMaintenance, maintainHeldRows } from './backlog/orphans.ts'

/** The counts of one round of maintenance. */
export interface MaintenanceResult extends HeldRowsMaintenance, HistoryMaintenance {
  /** Deliveries marked failed because they are older than `maxAgeMs`. */
  expired: number
  /** Deleted settled rows past their retention. */
  deletedRows: number
  /** Deleted shared payloads whose event has no delivery left. */
  deletedPayloads: number
  /** Deleted idempotency records past their retention. */
  deletedRecords: number
  /** Deleted signing secrets past their overlap. */
  deletedSecrets: number
  /** Deleted actions of the audit past their retention. */
  deletedActions: number
  /** Deleted replay jobs that ended 30 days ago. */
  deletedReplays: number
  /** Deleted erasures whose tombstone has ended. */
  deletedErasures: number
  /** Deleted portal links that expired 30 days ago. */
  deletedPortalLinks: number
  /** Whether a bound of the round was reached: run another round now. */
  more: boolean
}

/** The result of a round that could not run. */
export const NO_MAINTENANCE: MaintenanceResult = {
  expired: 0,
  deletedRows: 0,
  deletedPayloads: 0,
  deletedRecords: 0,
  deletedSecrets: 0,
  deletedActions: 0,
  deletedReplays: 0,
  deletedErasures: 0,
  deletedPortalLinks: 0,
  ...NO_HISTORY,
  orphanedHolds: 0,
  orphaned: 0,
}

export interface MaintenanceDeps {
  circuit: CircuitOptions
  db: OutboxDatabase
  logger: Logger
  notifier: Notifier | undefined
  failedRetentionMs: number
  maxAgeMs: number
  idempotencyRetentionMs: number
  auditRetentionMs: number
  history: HistoryOptions | undefined
  /** Absent without `history`. */
  heartbeat: Heartbeat | undefined
}

// Rows of one kind in a round. With operational webhooks each expired row adds statements to its transaction, so fewer.
const ROUND = 500
const NOTIFIED_ROUND = 50

/** Creates a function that runs one bounded round of maintenance. A poller calls it every minute, a cron at its tick. */
export function createMaintenance(deps: MaintenanceDeps): () => Promise<MaintenanceResult> {
  const { history } = deps
  const maintainHistory = history && createHistoryMaintenance({ ...deps, history, limit: ROUND })
  return () => maintain(deps, maintainHistory)
}

async function maintain(
  deps: MaintenanceDeps,
  maintainHistory: ReturnType<typeof createHistoryMaintenance> | undefined,
): Promise<MaintenanceResult> {
  const { db, logger, failedRetentionMs, idempotencyRetentionMs, auditRetentionMs } = deps
  const rows = await cleanupOldEvents(db, { failedRetentionMs, batchSize: ROUND })
  // Without history no statement: a Worker of the free plan has 50 requests for a tick. Before the payloads: an event that goes leaves its own.
  const { more: hasOldHistory, ...ofHistory } = maintainHistory ? await maintainHistory() : NO_HISTORY
  const payloads = await cleanupPayloads(db, {
    batchSize: ROUND,
    retained: deps.history ? RETAINED_PAYLOADS : undefined,
  })
  const deletedRecords = await cleanupIdempotency(db, { retentionMs: idempotencyRetentionMs, limit: ROUND })
  // Together: on D1 a batch is one request.
  const deletions = new Transaction()
  const oldSecrets = deletions.add(sqlText`
    delete from keepsend_secrets where (endpoint_id, scheme, version) in (
      select endpoint_id, scheme, version from keepsend_secrets where expires_at <= ${clock()} ${limitTo(ROUND)})`)
  const oldReplays = deletions.add(cleanupReplaysStatement(db, ROUND))
  const oldErasures = deletions.add(cleanupErasuresStatement(db, ROUND))
  const oldPortalLinks = deletions.add(cleanupPortalLinksStatement(db, ROUND))
  const oldActions = deletions.add(cleanupAuditStatement(db, { retentionMs: auditRetentionMs, limit: ROUND }))
  await deletions.commit(db)
  const held = await maintainHeldRows(db, deps.circuit.openMs)
  const { orphanedHolds, orphaned } = held
  if (orphanedHolds > 0)
    logger.warn({ endpoints: orphanedHolds }, 'found endpoints with held deliveries but no resume time; resuming them')
  if (orphaned > 0)
    logger.warn({ deliveries: orphaned }, 'found deliveries held for deleted endpoints; marked them failed')
  const expiry = await expire(deps)
  const moreNotifications = (await deps.notifier?.sendCollected()) ?? false
  await db.maintain?.()
  return {
    expired: expiry.expired,
    deletedRows: rows.deleted,
    deletedPayloads: payloads.deleted,
    deletedRecords,
    deletedSecrets: oldSecrets.changes,
    deletedActions: oldActions.changes,
    deletedReplays: oldReplays.changes,
    deletedErasures: oldErasures.changes,
    deletedPortalLinks: oldPortalLinks.changes,
    ...ofHistory,
    ...held,
    more:
      expiry.more ||
      moreNotifications ||
      rows.more ||
      payloads.more ||
      held.more ||
      oldSecrets.changes === ROUND ||
      oldActions.changes === ROUND ||
      oldReplays.changes === ROUND ||
      oldErasures.changes === ROUND ||
      oldPortalLinks.changes === ROUND ||
      hasOldHistory ||
      deletedRecords === ROUND,
  }
}

/** Marks deliveries failed that are too old. `more` says that it found some and there may be others. */
async function expire({
  db,
  logger,
  notifier,
  maxAgeMs,
}: MaintenanceDeps): Promise<{ expired: number; more: boolean }> {
  const { ids, more } = await expireEvents(db, {
    maxAgeMs,
    batchSize: notifier ? NOTIFIED_ROUND : ROUND,
    // The rows are locked before the notifications are made, so that exactly the rows that expire are notified.
    alongside: (rows) =>
      notifier
        ? [...lockDeliveries(db, rows), ...notifier.deliveries(rows.map((row) => ({ claim: row, error: EXPIRED })))]
        : [],
  })
  const expired = ids.length
  if (expired > 0) {
    logger.warn({ expired, maxAgeMs, deliveryIds: ids.slice(0, 10) }, 'deliveries expired; marked them failed')
  }
  return { expired, more: more && expired > 0 }
}
