import type { OutboxDatabase } from '@keepsend/outbox'
import { type Migration, applyMigrations, outboxMigrations } from '@keepsend/outbox/internal'
import { attachAhead, readPartitions } from './history/attempt-partitions.ts'
import { HISTORY_DEFAULTS } from './history/history-options.ts'
import { silentLogger } from './logger.ts'
import { migrations as postgres } from './postgres/migrations.ts'
import { migrations as sqlite } from './sqlite/migrations.ts'

/** The migrations of outbox and engine for this database, in the order in which they are applied. */
function engineMigrations({ dialect }: Pick<OutboxDatabase, 'dialect'>): readonly Migration[] {
  const { name, isBilled } = dialect
  const own = { sqlite, postgres }[name]
  return [...outboxMigrations(name), ...(isBilled ? own.filter((one) => !UNBILLED.has(one.name)) : own)]
}

// Indexes that write one more row for every attempt.
const UNBILLED = new Set(['engine/0004_history_lists'])

/**
 * Creates every table of Keepsend or brings it up to date. Safe to run at each start, in several processes concurrently.
 *
 * @returns the names of the migrations that it applied
 */
export async function migrateEngine(db: OutboxDatabase): Promise<string[]> {
  const applied = await applyMigrations(db, engineMigrations(db))
  const partitions = db.dialect.name === 'postgres' ? await readPartitions(db) : undefined
  if (partitions) {
    // Only the next days: without history nobody needs them, and with it maintenance attaches the others, and logs a refusal.
    const { retentionMs } = HISTORY_DEFAULTS
    await attachAhead(db, partitions, { retentionMs, days: FIRST_DAYS, refused: new Set(), logger: silentLogger })
  }
  return applied
}

// Those of the first maintenance, before which there may be attempts.
const FIRST_DAYS = 1
