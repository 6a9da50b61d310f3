import type { OutboxDatabase } from './database.ts'
import { OutboxError } from './errors.ts'
import { sqlText } from './statement.ts'

/** One file of SQL, applied once, under a name that never changes. */
export interface Migration {
  /** `<package>/<file without .sql>`, the record's key. */
  name: string
  sql: string
}

/**
 * Applies what is missing, in order. Each migration and its record are one atomic unit, so a process killed in the
 * middle leaves whole migrations only, and two processes that migrate at once do not apply one twice. Safe to repeat.
 *
 * @returns the names applied by this call.
 */
export async function applyMigrations(db: OutboxDatabase, migrations: readonly Migration[]): Promise<string[]> {
  // Postgres looks whether it exists and then makes it, so of two that come at once one is refused: by then it is there.
  await db.run(RECORDS).catch(() => db.run(RECORDS))
  const applied: string[] = []
  for (const migration of migrations) {
    if (await isApplied(db, migration.name)) continue
    try {
      await db.atomic([
        // As long as another process migrates.
        ...(db.dialect.name === 'postgres' ? [sqlText`set local lock_timeout = 0`] : []),
        // First: whoever comes second stops here, and nothing of the migration runs again.
        sqlText`insert into keepsend_migrations (name, applied_at) values (${migration.name}, ${Date.now()})`,
        ...splitStatements(migration.sql).map((sql) => ({ sql, params: [] })),
      ])
      applied.push(migration.name)
    } catch (error) {
      if (await isApplied(db, migration.name)) continue
      const reason = error instanceof Error ? error.message : String(error)
      throw new OutboxError('not_accepted', `migration ${migration.name} failed, nothing of it was kept: ${reason}`, {
        cause: error,
      })
    }
  }
  return applied
}

const RECORDS = {
  sql: 'create table if not exists keepsend_migrations (name text not null primary key, applied_at bigint not null)',
  params: [],
}

async function isApplied(db: OutboxDatabase, name: string): Promise<boolean> {
  const { rows } = await db.run(sqlText`select name from keepsend_migrations where name = ${name}`)
  return rows.length > 0
}

/**
 * The statements of a migration file. The rule such files keep: a comment has a line of its own and starts with `--`,
 * and a statement ends with `;` at the end of a line.
 */
export function splitStatements(sql: string): string[] {
  return sql
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('--'))
    .join('\n')
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}
