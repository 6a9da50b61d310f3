import { type OutboxDatabase, endpointsWithHeldRows, failHeldStatement } from '@keepsend/outbox'
import { type SqlText, lookOnBehind, sqlText } from '@keepsend/outbox/internal'
import { ENDPOINT_GONE } from '../error-classes.ts'
import { scheduleOrphanedHolds } from './resume-due.ts'

/** Rows that one statement marks failed. */
const ORPHANS = 500

/**
 * Marks the first rows failed that are held for a deleted endpoint: in the transaction of the deletion, and in maintenance
 * while there are more. If they were resumed instead, each would be claimed by itself and delay other rows.
 */
export function failOrphansStatement(db: OutboxDatabase, endpointId: string, limit = ORPHANS): SqlText {
  return failHeldStatement(db, { endpointId, error: ENDPOINT_GONE, limit })
}

// Endpoints checked in a round, with one or two index look-ups each: some milliseconds.
const ENDPOINTS = 1000

/** The counts of one round of {@link maintainHeldRows}. */
export interface HeldRowsMaintenance {
  /** Enabled endpoints with held rows that had no time to resume, or one too far ahead to be right. They resume now. */
  orphanedHolds: number
  /** Held rows of deleted endpoints, now marked failed. */
  orphaned: number
  /** Whether there are more rows of deleted endpoints. */
  more: boolean
}

/**
 * Checks the next 1,000 endpoints that have held rows: schedules those that nothing would resume, and marks rows failed whose
 * endpoint was deleted. Each round continues after the last; after the last endpoint it starts again.
 */
export async function maintainHeldRows(db: OutboxDatabase, openMs: number): Promise<HeldRowsMaintenance> {
  const ids = await endpointsWithHeldRows(db, { limit: ENDPOINTS })
  const next = ids.length === ENDPOINTS ? (ids.at(-1) ?? '') : ''
  if (ids.length === 0) {
    await lookOnBehind(db, next)
    return { orphanedHolds: 0, orphaned: 0, more: false }
  }
  const { changes: orphanedHolds } = await db.run(scheduleOrphanedHolds(db, ids, openMs))
  const { rows } = await db.run<{ id: string }>(
    sqlText`select id as "id" from keepsend_endpoints where id ${db.dialect.keys(ids)}`,
  )
  const existing = new Set(rows.map(({ id }) => id))
  let orphaned = 0
  for (const id of ids) {
    if (existing.has(id)) continue
    orphaned += (await db.run(failOrphansStatement(db, id, ORPHANS - orphaned))).changes
    if (orphaned === ORPHANS) return { orphanedHolds, orphaned, more: true }
  }
  await lookOnBehind(db, next)
  return { orphanedHolds, orphaned, more: false }
}
