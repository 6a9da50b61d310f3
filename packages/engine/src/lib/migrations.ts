import { type Migration, type OutboxDatabase, applyMigrations, outboxMigrations } from '@keepsend/outbox'
import { migrations as sqlite } from './sqlite/migrations.ts'

/** The outbox's and the engine's migrations for the database, in the order in which they are applied. */
export function engineMigrations(db: Pick<OutboxDatabase, 'dialect'>): readonly Migration[] {
  return [...outboxMigrations(db.dialect.name), ...sqlite]
}

/** Makes or brings up to date every table of Keepsend. Safe to run at each start, by several processes at once. */
export function migrate(db: OutboxDatabase): Promise<string[]> {
  return applyMigrations(db, engineMigrations(db))
}
