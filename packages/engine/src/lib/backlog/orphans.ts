import { type OutboxDatabase, endpointsWithHeldRows, failHeldStatement } from '@keepsend/outbox'
import { type SqlText, lookOnBehind, sqlText } from '@keepsend/outbox/internal'
import { ENDPOINT_GONE } from '../error-classes.ts'
import { scheduleOrphanedHolds } from './resume-due.ts'

/** Rows that one statement fails. */
const ORPHANS = 500

/**
 * Fails the first rows that are held for an endpoint that is gone: with its deletion, and by maintenance for as long as there
 * are more. Each of them claimed by itself would stand before the rows of others.
 */
export function failOrphansStatement(db: OutboxDatabase, endpointId: string, limit = ORPHANS): SqlText {
  return failHeldStatement(db, { endpointId, error: ENDPOINT_GONE, limit })
}

// A look-up or two for each: some milliseconds.
const ENDPOINTS = 1000

/** What a look at the endpoints that hold rows has found and mended. */
export interface HeldRowsMaintenance {
  /** Enabled endpoints that had no time at which their rows are resumed, or one that no honest clock could have set. */
  orphanedHolds: number
  /** Rows of endpoints that are gone, failed now. */
  orphaned: number
  /** There are more such rows. */
  more: boolean
}

/** Looks at the next 1,000 endpoints that hold rows: gives those a wake time that need one, fails what no endpoint is left for. */
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
  const there = new Set(rows.map(({ id }) => id))
  let orphaned = 0
  for (const id of ids) {
    if (there.has(id)) continue
    orphaned += (await db.run(failOrphansStatement(db, id, ORPHANS - orphaned))).changes
    if (orphaned === ORPHANS) return { orphanedHolds, orphaned, more: true }
  }
  await lookOnBehind(db, next)
  return { orphanedHolds, orphaned, more: false }
}
