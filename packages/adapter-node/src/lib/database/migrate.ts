import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrateEngine as migrateKeepsend } from '@keepsend/engine'
import type { OutboxDatabase } from '@keepsend/outbox'
import { type Migration, type OptionNames, applyMigrations, messageOf } from '@keepsend/outbox/internal'
import { NodeAdapterError, checkNames } from '../errors.ts'

export interface MigrateOptions {
  /**
   * A folder of the app's own `.sql` files, applied after Keepsend's in the order of their names. Do not change a file that was
   * applied. Each file is one transaction, so it must not contain `begin`, `commit` or `pragma`.
   */
  directory?: string | URL | undefined
}

export const MIGRATE_OPTIONS = { directory: 'any' } satisfies OptionNames<MigrateOptions>

/**
 * Creates or updates Keepsend's tables and, if a folder is given, the app's. Each file is applied once, in one transaction
 * with its record. Safe at every start, and from several processes concurrently. Returns the names of the applied migrations.
 *
 * @throws {NodeAdapterError} `invalid_option` for a folder that cannot be read; nothing was applied
 * @throws {OutboxError} `not_accepted` for a file that fails, or was changed after it was applied
 */
export async function migrate(db: OutboxDatabase, options: MigrateOptions = {}): Promise<string[]> {
  checkNames('migrate', MIGRATE_OPTIONS, options)
  const own = options.directory === undefined ? [] : await readMigrations(options.directory)
  return [...(await migrateKeepsend(db)), ...(await applyMigrations(db, own))]
}

async function readMigrations(directory: string | URL): Promise<Migration[]> {
  const folder = directory instanceof URL ? fileURLToPath(directory) : directory
  try {
    const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()
    return await Promise.all(
      files.map(async (file) => ({
        name: `app/${file.slice(0, -4)}`,
        sql: await readFile(join(folder, file), 'utf8'),
      })),
    )
  } catch (error) {
    const reason = messageOf(error)
    throw new NodeAdapterError(
      'invalid_option',
      `directory must be a folder of .sql files; ${folder} cannot be read: ${reason}`,
      {
        cause: error,
      },
    )
  }
}
