import type { NewestInLine, RowsInOrder } from '../dialect.ts'
import { type SqlText, raw, sqlText } from '../statement.ts'

const keyOf = (text: SqlText): SqlText => sqlText`cast(${text} as text) collate "C"`

/**
 * A range in the order of the index, never `=`: for `=` the planner may read the keys of all workspaces, newest first.
 * Each column is compared by its own collation, which is that of its index.
 */
export function ofWorkspace(
  workspaceId: string,
  { after = '', before = '~' }: { after?: string | SqlText; before?: string },
): RowsInOrder {
  const key = (id: string | SqlText): SqlText => sqlText`(cast(${workspaceId} as text), cast(${id} as text))`
  return {
    where: sqlText`(workspace_id, id) > ${key(after)} and (workspace_id, id) < ${key(before)}`,
    oldestFirst: raw('workspace_id, id'),
    newestFirst: raw('workspace_id desc, id desc'),
  }
}

/** Reads enough rows of each lane for `rows` in all. */
export function newestInLine({ endpointId, before, after, rows, ofEach }: NewestInLine): SqlText {
  const only = endpointId === undefined ? raw('') : sqlText`where lane.e = ${endpointId}`
  return sqlText`
    share (most) as materialized (
      select cast(greatest(cast(${ofEach} as bigint), cast(${rows} as bigint) / greatest(1, count(*))) as bigint) from lane ${only}),
    line (part, id, most) as materialized (
      select lane.e, head.id, share.most
      from lane cross join share cross join lateral (
        select id from pending_events
        where ready = 1 and (workspace_id, endpoint_id, id) > (lane.w, lane.e, ${keyOf(sqlText`${after}`)})
          and (workspace_id, endpoint_id, id) < (lane.w, lane.e, ${keyOf(sqlText`${before}`)})
        order by workspace_id desc, endpoint_id desc, id desc limit share.most) as head
      ${only})`
}
