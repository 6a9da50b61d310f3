import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrate as migrateKeepsend } from '@keepsend/engine'
import { type OutboxDatabase, applyMigrations } from '@keepsend/outbox'
import { checkOptions } from './option-names.ts'

export interface MigrateOptions {
  /** A folder of `.sql` files of the app's own, applied after Keepsend's in the order of their names. */
  directory?: string | URL | undefined
}

/**
 * Makes or brings up to date Keepsend's tables and, if a folder is given, the app's. Each file is applied once, as one
 * atomic unit with its record. Safe at every start, by several processes at once. Returns what was applied.
 */
export async function migrate(db: OutboxDatabase, options: MigrateOptions = {}): Promise<string[]> {
  checkOptions('migrate', options)
  const applied = await migrateKeepsend(db)
  if (options.directory === undefined) return applied
  const directory = options.directory instanceof URL ? fileURLToPath(options.directory) : options.directory
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort()
  const own = await Promise.all(
    files.map(async (file) => ({
      name: `app/${file.slice(0, -4)}`,
      sql: await readFile(join(directory, file), 'utf8'),
    })),
  )
  return [...applied, ...(await applyMigrations(db, own))]
}
