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
  const applied: string[] = []
  for (const { name, sql } of migrations) {
    const checksum = await checksumOf(sql)
    if (await isApplied(db, name, checksum)) continue
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
      if (await isApplied(db, name, checksum)) continue
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

async function isApplied(db: OutboxDatabase, name: string, checksum: string): Promise<boolean> {
  const { rows } = await db.run<{ checksum: string }>(
    sqlText`select checksum from keepsend_migrations where name = ${name}`,
  )
  const [record] = rows
  if (record && record.checksum !== checksum) {
    throw new OutboxError(
      'not_accepted',
      `migration ${name} was applied with another text: restore it, and put the change in a new file`,
    )
  }
  return record !== undefined
}

async function checksumOf(sql: string): Promise<string> {
  const bytes = new TextEncoder().encode(sql.replaceAll('\r\n', '\n'))
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
