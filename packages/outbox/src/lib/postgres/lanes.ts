import type { LookOptions } from '../lane-ref.ts'
import type { Resolved } from '../options.ts'
import { type SqlText, joined, raw, sqlText } from '../statement.ts'
import { texts } from './array-params.ts'
import { first } from './pick.ts'

const AFTER = raw('order by workspace_id, endpoint_id, id limit 1')

/**
 * Steps from workspace to workspace, and within one from endpoint to endpoint, by one look-up each. Every step is a
 * range in the order of the index, so that outdated statistics cannot make the planner choose another way.
 */
export function lanes({ after, only, workspaces, endpoints, behind }: Resolved<LookOptions>): SqlText {
  const cursors = joined([texts(Object.keys(behind)), texts(Object.values(behind))], ', ')
  const inOrder = sqlText`
      select (select workspace_id from pending_events where ready = 1 and workspace_id > ${after} ${AFTER})
      union all
      select (select workspace_id from pending_events where ready = 1 and workspace_id > workspace.w ${AFTER})
      from workspace where workspace.w is not null`
  const chosen = only.length > 0 ? sqlText`select w collate "C" from unnest(${texts(only)}) as one (w)` : inOrder
  return sqlText`
    with recursive workspace (w) as (${chosen}),
    listed as materialized (select w from workspace where w is not null ${first(only.length || workspaces)}),
    lane (w, e) as materialized (
      select listed.w, step.e
      from listed left join unnest(${cursors}) as behind (w, e) on behind.w = listed.w cross join lateral (
        with recursive step (e, n) as (
          select (
            select endpoint_id from pending_events where ready = 1 and (workspace_id, endpoint_id) <= (listed.w, '~')
              and (workspace_id, endpoint_id) >= (listed.w, coalesce(behind.e || ' ', '')) ${AFTER}), 1
          union all
          select (
            select endpoint_id from pending_events where ready = 1 and (workspace_id, endpoint_id) <= (listed.w, '~')
              and (workspace_id, endpoint_id) > (listed.w, step.e) ${AFTER}), n + 1
          from step where e is not null and n < ${endpoints})
        select e from step where e is not null) as step)`
}
