import type { OutboxDatabase } from './database.ts'
import { type Migration, applyMigrations } from './migrate.ts'
import { migrations as postgres } from './postgres/migrations.ts'
import { migrations as sqlite } from './sqlite/migrations.ts'
import type { DialectName } from './statement.ts'

/** The outbox's own migrations as texts, oldest first: the same as in the package's `migrations/`. */
export function outboxMigrations(dialect: DialectName): readonly Migration[] {
  return dialect === 'sqlite' ? sqlite : postgres
}

/** Creates or updates the outbox's tables alone; the engine's `migrate` also applies its own. */
export function migrateOutbox(db: OutboxDatabase): Promise<string[]> {
  return applyMigrations(db, outboxMigrations(db.dialect.name))
}
