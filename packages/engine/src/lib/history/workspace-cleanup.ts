import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, allOf, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt } from './attempt-id.ts'
import type { AttemptPartitions } from './attempt-partitions.ts'
import { deleteFromLeaves } from './attempt-retention.ts'
import { removeBodies } from './body-retention.ts'
import type { HistoryOptions } from './history-options.ts'
import { attemptsOfWorkspace } from './workspace-retention.ts'

// Workspaces of a round. D1 bounds the statements of a cron's tick.
const PAGE = 100
const BILLED_PAGE = 5

/**
 * Creates a function that deletes what workspaces retain for less time than the engine, in bounded rounds: each continues with
 * the workspaces behind those of the last.
 */
export function createWorkspaceCleanup(
  db: OutboxDatabase,
  { bodiesRetentionMs }: HistoryOptions,
  { limit, upTo }: Bounds,
): (partitions: AttemptPartitions | undefined) => Promise<{ deleted: number; more: boolean }> {
  const size = db.dialect.isBilled ? BILLED_PAGE : PAGE
  let after = ''

  return async (partitions) => {
    const { rows } = await db.run<{ id: string; attemptsMs: number | null; bodiesMs: number | null }>(sqlText`
      select id as "id", attempts_ms as "attemptsMs", bodies_ms as "bodiesMs" from keepsend_workspaces
      where id > ${after} and (attempts_ms is not null or bodies_ms is not null)
      order by id ${db.dialect.first(size)}`)
    const last = rows.at(-1)?.id
    if (last === undefined) {
      after = ''
      return { deleted: 0, more: false }
    }
    const ages = rows.flatMap(({ attemptsMs }) => attemptsMs ?? [])
    const deleted =
      ages.length === 0 ? 0 : await deleteOld(db, partitions, { after, last, leastMs: Math.min(...ages), limit, upTo })
    let isFull = deleted === limit
    const { by, where } = await attemptsOfWorkspace(db)
    for (const { id, bodiesMs } of rows) {
      if (bodiesMs === null || bodiesMs >= bodiesRetentionMs) continue
      const own = sqlText`${where} and old.workspace_id = ${id}`
      if ((await removeBodies(db, { id, by, where: own, retentionMs: bodiesMs }, limit)) === limit) isFull = true
    }
    if (!isFull) after = rows.length === size ? last : ''
    return { deleted, more: isFull || rows.length === size }
  }
}

interface Bounds {
  /** Rows of one kind in a round. */
  limit: number
  /** The last attempt that may be deleted. */
  upTo: SqlText | undefined
}

/** Deletes the attempts of the workspaces of a page that are past their own retention. */
async function deleteOld(
  db: OutboxDatabase,
  partitions: AttemptPartitions | undefined,
  { after, last, leastMs, limit, upTo }: Bounds & { after: string; last: string; leastMs: number },
): Promise<number> {
  const { dialect } = db
  const page = sqlText`own.id > ${after} and own.id <= ${last} and own.attempts_ms is not null`
  const old = allOf([
    sqlText`old.workspace_id = own.id and old.id < ${firstIdAt(dialect.name, sqlText`${clock()} - own.attempts_ms`)}`,
    ...(upTo ? [sqlText`old.id <= ${upTo}`] : []),
  ])
  if (partitions) {
    const { attached, now, default: rest } = partitions
    const leaves = attached.filter(({ from }) => from < now - leastMs).map(({ name }) => name)
    return deleteFromLeaves(db, rest === undefined ? leaves : [...leaves, rest], {
      limit,
      pick: (leaf, most) => sqlText`
        select old.place from keepsend_workspaces as own cross join lateral (
          select old.ctid as place from ${raw(leaf)} as old where ${old}
          order by old.workspace_id, old.id ${dialect.first(most)} ${dialect.lock('pick', 'old')}) as old
        where ${page} limit ${raw(String(most))}`,
    })
  }
  const { by, where } = await attemptsOfWorkspace(db)
  const { changes } = await db.run(sqlText`
    delete from keepsend_attempts where id ${dialect.among(sqlText`
      select old.id from keepsend_workspaces as own cross join keepsend_attempts as old ${by}
      where ${page} and ${where} and ${old} ${dialect.first(limit)}`)}`)
  return changes
}
