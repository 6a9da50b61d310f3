import type { OutboxDatabase } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'

/** Whether the database has this index: some are optional. */
export async function hasIndex(db: OutboxDatabase, name: string): Promise<boolean> {
  const { rows } = await db.run<{ name: string | null }>(
    db.dialect.name === 'postgres'
      ? sqlText`select cast(to_regclass(${name}) as text) as "name"`
      : sqlText`select name as "name" from sqlite_master where type = 'index' and name = ${name}`,
  )
  return typeof rows[0]?.name === 'string'
}
