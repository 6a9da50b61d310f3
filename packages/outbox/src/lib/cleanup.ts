import type { OptionNames } from './options.ts'
import type { OutboxDatabase } from './database.ts'
import { checkBounds, checkNames } from './errors.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'
import { SETTLED } from './transitions.ts'

export interface CleanupOptions {
  /** Age, by `completed_at`, at which a failed row is deleted, in ms: 0 or more. @default 604_800_000 (7 days) */
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
  failedRetentionMs: 'number',
  batchSize: 'number',
  budgetMs: 'number',
  now: 'number',
  elapsed: 'function',
} satisfies OptionNames<CleanupOptions>

/** Failed rows are retained for a week, so that a receiver that was broken over a weekend can have them replayed. */
const DEFAULT_FAILED_RETENTION_MS = 604_800_000

// No settle leaves a `completed` row. An earlier version did, and a database may still have some.
const SETTLED_STATUSES = ['completed', 'failed'] as const

/**
 * Deletes settled rows past their retention in bounded batches, oldest settlement of a status first. `more` is true
 * when the budget ended first.
 */
export async function cleanupOldEvents(
  db: OutboxDatabase,
  options: CleanupOptions = {},
): Promise<{ deleted: number; more: boolean }> {
  checkNames('cleanupOldEvents', CLEANUP_OPTIONS, options)
  const { failedRetentionMs: ageMs = DEFAULT_FAILED_RETENTION_MS } = options
  const { batchSize = 500, budgetMs = 200, elapsed = Date.now, now } = options
  checkBounds('failedRetentionMs', ageMs, 0, Number.MAX_SAFE_INTEGER)
  checkBounds('batchSize', batchSize, 1, 10_000)
  checkBounds('budgetMs', budgetMs, 0, 60_000)
  const end = elapsed() + budgetMs
  let deleted = 0
  for (const status of SETTLED_STATUSES) {
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
  }: { status: (typeof SETTLED_STATUSES)[number]; ageMs: number; limit: number; now: number | undefined },
): SqlText {
  const where = sqlText`${SETTLED} and status = ${raw(`'${status}'`)} and completed_at < ${clock(now)} - ${ageMs}`
  const picked = dialect.pick({ where, by: 'pending_events_settled', order: raw('completed_at, id'), limit })
  return sqlText`${picked.with} delete from pending_events where ${picked.where}`
}
