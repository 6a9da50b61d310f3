import type { OutboxDatabase } from '@keepsend/outbox'
import { type Migration, applyMigrations, outboxMigrations } from '@keepsend/outbox/internal'
import { migrations as postgres } from './postgres/migrations.ts'
import { migrations as sqlite } from './sqlite/migrations.ts'

/** The outbox's and the engine's migrations for the database, in the order in which they are applied. */
function engineMigrations(db: Pick<OutboxDatabase, 'dialect'>): readonly Migration[] {
  const { name } = db.dialect
  return [...outboxMigrations(name), ...{ sqlite, postgres }[name]]
}

/** Makes or brings up to date every table of Keepsend. Safe to run at each start, by several processes at once. */
export function migrateEngine(db: OutboxDatabase): Promise<string[]> {
  return applyMigrations(db, engineMigrations(db))
}
