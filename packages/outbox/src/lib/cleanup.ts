import type { OptionNames } from './options.ts'
import type { OutboxDatabase } from './database.ts'
import { checkBounds, checkNames } from './errors.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'
import { SETTLED } from './transitions.ts'

export interface CleanupOptions {
  /** Age, by `completed_at`, at which a completed row is deleted, in ms: 0 or more. @default 86_400_000 (24 h) */
  retentionMs?: number | undefined
  /** Age at which a failed row is deleted, in ms: 0 or more. @default 604_800_000 (7 days) */
  failedRetentionMs?: number | undefined
  /** Rows a statement: 1–10,000. Small enough not to delay writers. @default 500 */
  batchSize?: number | undefined
  /** No batch starts after this many ms: 0–60,000. At least one batch runs. @default 200 */
  budgetMs?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
  /** A clock for the budget, in ms. @default Date.now */
  elapsed?: (() => number) | undefined
}

export const CLEANUP_OPTIONS = {
  retentionMs: 'number',
  failedRetentionMs: 'number',
  batchSize: 'number',
  budgetMs: 'number',
  now: 'number',
  elapsed: 'function',
} satisfies OptionNames<CleanupOptions>

/** Completed rows are retained for a day. */
export const DEFAULT_RETENTION_MS = 86_400_000

/** Failed rows are retained for a week, so that a receiver that was broken over a weekend can have them replayed. */
const DEFAULT_FAILED_RETENTION_MS = 604_800_000

/**
 * Deletes settled rows past their retention in bounded batches: completed rows first, then failed rows, oldest
 * settlement first. `more` is true when the budget ended first.
 */
export async function cleanupOldEvents(
  db: OutboxDatabase,
  options: CleanupOptions = {},
): Promise<{ deleted: number; more: boolean }> {
  checkNames('cleanupOldEvents', CLEANUP_OPTIONS, options)
  const { retentionMs = DEFAULT_RETENTION_MS, failedRetentionMs = DEFAULT_FAILED_RETENTION_MS } = options
  const { batchSize = 500, budgetMs = 200, elapsed = Date.now, now } = options
  checkBounds('retentionMs', retentionMs, 0, Number.MAX_SAFE_INTEGER)
  checkBounds('failedRetentionMs', failedRetentionMs, 0, Number.MAX_SAFE_INTEGER)
  checkBounds('batchSize', batchSize, 1, 10_000)
  checkBounds('budgetMs', budgetMs, 0, 60_000)
  const end = elapsed() + budgetMs
  let deleted = 0
  for (const [status, ageMs] of [
    ['completed', retentionMs],
    ['failed', failedRetentionMs],
  ] as const) {
    for (;;) {
      const { changes } = await db.run(pruneStatement(db, { status, ageMs, limit: batchSize, now }))
      deleted += changes
      if (changes < batchSize) break
      if (elapsed() >= end) return { deleted, more: true }
    }
  }
  return { deleted, more: false }
}

/** Deletes rows of one status that settled longer ago than `ageMs`, oldest settlement first. */
export function pruneStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  {
    status,
    ageMs,
    limit,
    now,
  }: { status: 'completed' | 'failed'; ageMs: number; limit: number; now: number | undefined },
): SqlText {
  const where = sqlText`${SETTLED} and status = ${raw(`'${status}'`)} and completed_at < ${clock(now)} - ${ageMs}`
  const picked = dialect.pick({ where, by: 'pending_events_settled', order: raw('completed_at, id'), limit })
  return sqlText`${picked.with} delete from pending_events where ${picked.where}`
}
