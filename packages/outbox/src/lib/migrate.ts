import type { OutboxDatabase } from './database.ts'
import { OutboxError } from './errors.ts'
import { hexOf } from './hex.ts'
import { splitStatements } from './sql/split.ts'
import { sqlText } from './statement.ts'

/** One file of SQL, applied once, under a name and with a text that never change. */
export interface Migration {
  /** `<package>/<file without .sql>`, the record's key. */
  name: string
  /** Any number of statements, each ended by `;`; without transaction control, since they commit together. */
  sql: string
}

/**
 * Applies what is missing, in order. Each migration and its record are one atomic unit, so a process killed in the
 * middle leaves whole migrations only, and two processes that migrate at once do not apply one twice. Safe to repeat.
 *
 * @returns the names applied by this call.
 * @throws {OutboxError} `not_accepted`, naming the migration: for one that fails, and for one that was applied with another
 *   text (how its lines end makes none), because a change belongs into a new file
 */
export async function applyMigrations(db: OutboxDatabase, migrations: readonly Migration[]): Promise<string[]> {
  // Postgres looks whether it exists and then makes it, so of two that come at once one is refused: by then it is there.
  await db.run(RECORDS).catch(() => db.run(RECORDS))
  const applied: string[] = []
  for (const { name, sql } of migrations) {
    const checksum = await checksumOf(sql)
    if (await isApplied(db, name, checksum)) continue
    try {
      await db.atomic([
        // As long as another process migrates.
        ...(db.dialect.name === 'postgres' ? [sqlText`set local lock_timeout = 0`] : []),
        // First: whoever comes second stops here, and nothing of the migration runs again.
        sqlText`
          insert into keepsend_migrations (name, checksum, applied_at) values (${name}, ${checksum}, ${Date.now()})`,
        ...splitStatements(sql, db.dialect.name).map(({ text }) => ({ sql: text, params: [] })),
      ])
      applied.push(name)
    } catch (error) {
      if (await isApplied(db, name, checksum)) continue
      const reason = error instanceof Error ? error.message : String(error)
      throw new OutboxError('not_accepted', `migration ${name} failed, nothing of it was kept: ${reason}`, {
        cause: error,
      })
    }
  }
  return applied
}

const RECORDS = sqlText`
  create table if not exists keepsend_migrations (
    name text not null primary key, checksum text not null, applied_at bigint not null)`

async function isApplied(db: OutboxDatabase, name: string, checksum: string): Promise<boolean> {
  const { rows } = await db.run<{ checksum: string }>(
    sqlText`select checksum from keepsend_migrations where name = ${name}`,
  )
  const [record] = rows
  if (record && record.checksum !== checksum) {
    throw new OutboxError(
      'not_accepted',
      `migration ${name} was applied with another text: put it back as it was, and the change into a new file`,
    )
  }
  return record !== undefined
}

async function checksumOf(sql: string): Promise<string> {
  const bytes = new TextEncoder().encode(sql.replaceAll('\r\n', '\n'))
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
