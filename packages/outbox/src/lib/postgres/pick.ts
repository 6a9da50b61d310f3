import type { KeyRange, Picked, RowsInOrder, Which } from '../dialect.ts'
import type { LaneShare } from '../lane-ref.ts'
import { type SqlText, joined, raw, sqlText } from '../statement.ts'
import { numbers, texts } from './array-params.ts'

/**
 * Hidden from the planner, which then assumes a tenth of the rows and takes them in order. Told a limit about as large
 * as the number of rows that it expects, it finds the order not worth an index: in a burst of which the statistics knew
 * nothing it read and sorted all 20,000 due rows for each claim of 16 (1.1 ms, against 0.1).
 */
export function first(rows: number): SqlText {
  return sqlText`limit (select cast(${rows} as bigint))`
}

/** As an array: of that the planner expects ten, whatever it expects of the table, and goes by the key. */
export function among(found: SqlText): SqlText {
  return sqlText`= any (array(${found}))`
}

const PICKED = among(raw('select picked_id from picked'))

/**
 * Two shapes stand behind every statement that picks rows, and both are needed:
 *
 * - The picking is a materialized CTE with `for update skip locked`: it runs once, and its rows are locked before
 *   anybody else can pick them. As a plain `in (select … limit n)`, 16 claimers took 1,575 of 2,000 rows more than once.
 * - The change repeats the whole condition. A row that was picked may have been changed by another between the look and
 *   the lock; a clean-up without it deleted a row that a replay had just made pending. It stands in a `case`, through
 *   which the planner does not look for an index: statistics from before a burst made it read all 50,000 due rows for a
 *   claim of 25 (430 ms).
 *
 * @param unless looked at by the picking alone
 */
export function pick({ where, order, limit }: Which, unless = raw('')): PickedByCte {
  const ordered = order && limit !== undefined ? sqlText`order by ${order} ${first(limit)}` : raw('')
  return picked(
    sqlText`select id as picked_id from pending_events where ${where} ${unless} ${ordered} for update skip locked`,
    where,
  )
}

/**
 * The first rows of each lane. Inside the lateral the picking goes on to the next rows of a lane when others hold the
 * first, so each of several workers gets its share while rows last.
 */
export function pickLanes(lanes: readonly LaneShare[], unless = raw('')): PickedByCte {
  const listed = joined(
    [
      texts(lanes.map(({ workspaceId }) => workspaceId)),
      texts(lanes.map(({ endpointId }) => endpointId)),
      numbers(lanes.map(({ count }) => count)),
      texts(lanes.map(({ after = '' }) => after)),
    ],
    ', ',
  )
  return picked(
    sqlText`select head.picked_id
      from unnest(${listed}) as lane (w, e, k, a) cross join lateral (
        select id as picked_id from pending_events
        where ready = 1 and (workspace_id, endpoint_id, id) > (${LANE}, lane.a collate "C")
          and (workspace_id, endpoint_id) <= (${LANE}) ${unless}
        order by ${IN_ORDER} limit lane.k for update skip locked) as head`,
    raw('ready = 1'),
  )
}

const LANE = raw('lane.w collate "C", lane.e collate "C"')
const IN_ORDER = raw('workspace_id, endpoint_id, id')

/**
 * A range, and never `=`: by that the planner may find the order of the key good enough, and read it from its beginning
 * (468 ms for a neighbour of a million rows).
 */
export function inLane(workspaceId: SqlText, endpointId: SqlText): { where: SqlText; order: SqlText } {
  const lane = sqlText`(cast(${workspaceId} as text) collate "C", cast(${endpointId} as text) collate "C")`
  return {
    where: sqlText`ready = 1 and (workspace_id, endpoint_id) >= ${lane} and (workspace_id, endpoint_id) <= ${lane}`,
    order: IN_ORDER,
  }
}

/** A range as in a lane; `~` is behind every endpoint. */
export function inLine(workspaceId: SqlText): { where: SqlText; order: SqlText } {
  const w = sqlText`cast(${workspaceId} as text) collate "C"`
  return {
    where: sqlText`ready = 1 and (workspace_id, endpoint_id) >= (${w}, '') and (workspace_id, endpoint_id) <= (${w}, '~')`,
    order: IN_ORDER,
  }
}

/** A range as in a lane, and no `exists` of such rows: for that the planner may read the table until it meets one. */
export function heldOf(endpointId: SqlText, { from = raw("''"), before = raw("'~'") }: KeyRange = {}): RowsInOrder {
  const key = (id: SqlText): SqlText =>
    sqlText`(cast(${endpointId} as text) collate "C", cast(${id} as text) collate "C")`
  return {
    where: sqlText`status = 'held' and (endpoint_id, id) >= ${key(from)} and (endpoint_id, id) < ${key(before)}`,
    oldestFirst: raw('endpoint_id, id'),
    newestFirst: raw('endpoint_id desc, id desc'),
  }
}

interface PickedByCte extends Picked {
  cte: SqlText
}

function picked(picking: SqlText, where: SqlText): PickedByCte {
  const cte = sqlText`picked as materialized (${picking})`
  return {
    cte,
    with: sqlText`with ${cte}`,
    where: sqlText`id ${PICKED} and case when ${where} then true else false end`,
  }
}
