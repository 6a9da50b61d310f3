import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, allOf, clock, onlyRow, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt } from './attempt-id.ts'

/** The attempts whose bodies are removed. */
interface BodyScope {
  /** The row of `keepsend_workspaces` with their position: a workspace, or '' for all. */
  id: string
  /** The index of `keepsend_attempts as old` that finds them, and their condition. */
  by: SqlText
  where: SqlText
  retentionMs: number
}

/**
 * Removes headers and bodies past their retention, before the attempts themselves go. It reads at most `limit` attempts a call,
 * from the position where the last call of any process ended.
 *
 * @returns the attempts that it read
 */
export async function removeBodies(
  db: OutboxDatabase,
  { id, by, where, retentionMs }: BodyScope,
  limit: number,
): Promise<number> {
  const { dialect } = db
  const doneTo = sqlText`coalesce((select done.bodies_done_to from keepsend_workspaces as done where done.id = ${id}), 0)`
  const old = allOf([
    where,
    sqlText`old.id > ${doneTo}`,
    sqlText`old.id < ${firstIdAt(dialect.name, sqlText`${clock()} - ${retentionMs}`)}`,
  ])
  const { rows } = await db.run<{ last: string | null; read: number }>(sqlText`
    select cast(max(id) as text) as "last", count(*) as "read" from (
      select old.id from keepsend_attempts as old ${by} where ${old} order by old.id ${dialect.first(limit)}) as old`)
  const { last, read } = onlyRow(rows)
  if (last === null) return 0
  const upTo = sqlText`cast(${last} as bigint)`
  await db.atomic([
    sqlText`
      update keepsend_attempts set headers = null, body = null
      where id > ${doneTo} and id <= ${upTo} and (headers is not null or body is not null)
        and id ${dialect.among(sqlText`select old.id from keepsend_attempts as old ${by} where ${old} and old.id <= ${upTo}`)}`,
    sqlText`
      insert into keepsend_workspaces (id, bodies_done_to) values (${id}, ${upTo})
      on conflict (id) do update set bodies_done_to = excluded.bodies_done_to
      where keepsend_workspaces.bodies_done_to < excluded.bodies_done_to`,
  ])
  return read
}
