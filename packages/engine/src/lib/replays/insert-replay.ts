import { type SqlText, sqlText } from '@keepsend/outbox/internal'
import type { replays } from '../sqlite/tables.ts'

type Job = typeof replays.$inferSelect

export interface NewReplay extends Pick<
  Job,
  'id' | 'workspaceId' | 'endpointId' | 'what' | 'selection' | 'ids' | 'rate' | 'sinceAt' | 'planned' | 'position'
> {
  plannedMore: boolean
  /** It has passed what was planned, and is completed. */
  isDone: boolean
}

/** An insert of a job, to which a `where` can be added. Each value has a type: Postgres knows none in an `insert … select`. */
export function insertReplay(job: NewReplay, { now, until }: { now: SqlText; until: SqlText }): SqlText {
  const { isDone } = job
  const at = sqlText`cast(${now} as bigint)`
  return sqlText`
    insert into keepsend_replays (id, workspace_id, endpoint_id, what, selection, ids, rate, since_at, until_at,
      planned, planned_more, seen, state, position, paced_to, due_at, created_at, ended_at)
    select cast(${job.id} as text), cast(${job.workspaceId} as text), cast(${job.endpointId} as text), cast(${job.what} as text),
      cast(${JSON.stringify(job.selection)} as text), cast(${job.ids && JSON.stringify(job.ids)} as text),
      cast(${job.rate} as integer), cast(${job.sinceAt} as bigint), cast(${until} as bigint),
      cast(${job.planned} as bigint), cast(${job.plannedMore ? 1 : 0} as integer), cast(${isDone ? job.planned : 0} as bigint),
      cast(${isDone ? 'completed' : 'running'} as text), cast(${JSON.stringify(job.position)} as text),
      ${at}, ${at}, ${at}, ${isDone ? at : sqlText`cast(null as bigint)`}`
}
