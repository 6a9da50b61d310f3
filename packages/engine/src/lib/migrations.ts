import type { OutboxDatabase } from '@keepsend/outbox'
import { type Migration, applyMigrations, outboxMigrations } from '@keepsend/outbox/internal'
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
export function migrateEngine(db: OutboxDatabase): Promise<string[]> {
  return applyMigrations(db, engineMigrations(db))
}
