import type { OutboxDatabase } from './database.ts'
import { checkBounds } from './errors.ts'
import { checkOptions } from './option-names.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'

export interface CleanupOptions {
  /** Age of a settled row, by `completed_at`, at which it goes, in ms: 0 or more. @default 86_400_000 (24 h) */
  retentionMs?: number | undefined
  /** Rows a statement: 1–10,000. Small enough not to hold up the writers. @default 500 */
  batchSize?: number | undefined
  /** No further batch is begun after this many ms: 0–60,000. At least one batch runs. @default 200 */
  budgetMs?: number | undefined
  /** The time to go by, ms since the epoch. @default the database's clock */
  now?: number | undefined
  /** A clock for the budget, in ms. @default Date.now */
  elapsed?: (() => number) | undefined
}

/** Keeps settled rows for a day: long enough to look at yesterday's failures and replay them. */
export const DEFAULT_RETENTION_MS = 86_400_000

/** Prunes settled rows, oldest settlement first, in bounded batches. `more`: the budget ended before the rows did. */
export async function cleanupOldEvents(
  db: OutboxDatabase,
  options: CleanupOptions = {},
): Promise<{ deleted: number; more: boolean }> {
  checkOptions('cleanupOldEvents', options)
  const { retentionMs = DEFAULT_RETENTION_MS, batchSize = 500, budgetMs = 200, elapsed = Date.now } = options
  checkBounds('retentionMs', retentionMs, 0, Number.MAX_SAFE_INTEGER)
  checkBounds('batchSize', batchSize, 1, 10_000)
  checkBounds('budgetMs', budgetMs, 0, 60_000)
  const end = elapsed() + budgetMs
  let deleted = 0
  for (;;) {
    const { changes } = await db.run(pruneStatement(db, { retentionMs, limit: batchSize, now: options.now }))
    deleted += changes
    if (changes < batchSize) return { deleted, more: false }
    if (elapsed() >= end) return { deleted, more: true }
  }
}

/** Deletes settled rows older than the given age, oldest settlement first. */
export function pruneStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { retentionMs, limit, now }: { retentionMs: number; limit: number; now: number | undefined },
): SqlText {
  const where = sqlText`completed_at is not null and completed_at < ${clock(now)} - ${retentionMs}`
  const picked = dialect.pick({ where, order: raw('completed_at, id'), limit })
  return sqlText`${picked.with} delete from pending_events where ${picked.where}`
}
