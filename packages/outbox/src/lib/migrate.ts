import type { OutboxDatabase } from './database.ts'
import { OutboxError } from './errors.ts'
import { hexOf } from './hex.ts'
import { messageOf } from './message-of.ts'
import { splitStatements } from './sql/split.ts'
import { sqlText } from './statement.ts'

/** One file of SQL, applied once. Its name and its text never change. */
export interface Migration {
  /** `<package>/<file without .sql>`: the key of its record. */
  name: string
  /** Any number of statements, each ended by `;`; no transaction control, since they commit together. */
  sql: string
}

/**
 * Applies missing migrations, in order. Each migration commits in one transaction with its record, so a killed process
 * leaves only whole migrations, and two processes that migrate concurrently do not apply one twice. Safe to repeat.
 *
 * @returns the names that this call applied
 * @throws {OutboxError} `not_accepted`, naming the migration: for one that fails, and for one that was applied with
 * another text (line endings do not matter), because a change belongs in a new file
 */
export async function applyMigrations(db: OutboxDatabase, migrations: readonly Migration[]): Promise<string[]> {
  // `create table if not exists` is not atomic on Postgres: of two concurrent calls one may fail. By then the table
  // exists.
  await db.run(RECORDS).catch(() => db.run(RECORDS))
  let records = await readRecords(db)
  const applied: string[] = []
  for (const migration of migrations) {
    const { name, sql } = migration
    const checksum = await checksumOf(migration)
    if (isApplied(records, name, checksum)) continue
    try {
      await db.atomic([
        // Wait for as long as another process migrates.
        ...(db.dialect.name === 'postgres' ? [sqlText`set local lock_timeout = 0`] : []),
        // First: a second process stops here, and runs nothing of the migration again.
        sqlText`
          insert into keepsend_migrations (name, checksum, applied_at) values (${name}, ${checksum}, ${Date.now()})`,
        ...splitStatements(sql, db.dialect.name).map(({ text }) => ({ sql: text, params: [] })),
      ])
      applied.push(name)
    } catch (error) {
      records = await readRecords(db)
      if (isApplied(records, name, checksum)) continue
      const reason = messageOf(error)
      throw new OutboxError('not_accepted', `migration ${name} failed, nothing of it was committed: ${reason}`, {
        cause: error,
      })
    }
  }
  return applied
}

const RECORDS = sqlText`
  create table if not exists keepsend_migrations (
    name text not null primary key, checksum text not null, applied_at bigint not null)`

/** The checksums of the applied migrations, by name. */
async function readRecords(db: OutboxDatabase): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.run<{ name: string; checksum: string }>(
    sqlText`select name, checksum from keepsend_migrations`,
  )
  return new Map(rows.map(({ name, checksum }) => [name, checksum]))
}

function isApplied(records: ReadonlyMap<string, string>, name: string, checksum: string): boolean {
  const record = records.get(name)
  if (record !== undefined && record !== checksum) {
    throw new OutboxError(
      'not_accepted',
      `migration ${name} was applied with another text: restore it, and put the change in a new file`,
    )
  }
  return record !== undefined
}

// A process that opens many databases, such as one of tests, migrates each.
const checksums = new WeakMap<Migration, string>()

async function checksumOf(migration: Migration): Promise<string> {
  const known = checksums.get(migration)
  if (known !== undefined) return known
  const bytes = new TextEncoder().encode(migration.sql.replaceAll('\r\n', '\n'))
  const checksum = hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
  checksums.set(migration, checksum)
  return checksum
}
