import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { checkBounds } from '../errors.ts'
import type { Page } from '../page.ts'
import { type WorkspaceScope, readScope } from '../workspace-id.ts'
import type { JobTable } from './due-jobs.ts'

interface JobList<J> {
  scope: WorkspaceScope
  /** Jobs of a page: 1–1,000. */
  limit: number
  /** Jobs whose ids are below this one. */
  before: string
  /** The columns of the table `as job`. */
  columns: SqlText
  read: (row: Row) => J
}

const MAX_LIMIT = 1000

/** Lists jobs, the last that was made first: of one workspace by its index, of all by the primary key. */
export async function listJobs<J extends { id: string }>(
  db: OutboxDatabase,
  table: JobTable,
  { scope, limit, before, columns, read }: JobList<J>,
): Promise<Page<J>> {
  const workspaceId = readScope(scope)
  checkBounds('limit', limit, 1, MAX_LIMIT)
  const mine = workspaceId === undefined ? undefined : db.dialect.ofWorkspace(workspaceId, { before })
  const { rows } = await db.run(sqlText`
    select ${columns} from (
      select * from ${raw(table)} ${mine ? db.dialect.by(`${table}_workspace`) : raw('')}
      where ${mine?.where ?? sqlText`id < ${before}`}
      order by ${mine?.newestFirst ?? raw('id desc')} ${db.dialect.first(limit + 1)}) as job
    order by job.id desc`)
  const shown = rows.slice(0, limit).map((row) => read(row))
  return { rows: shown, next: rows.length > limit ? shown.at(-1)?.id : undefined, complete: true }
}
