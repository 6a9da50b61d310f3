import type { KeyRange, Picked, RowsInOrder, Which } from '../dialect.ts'
import type { LaneShare } from '../lane-ref.ts'
import { type SqlText, joined, raw, sqlText } from '../statement.ts'
import { numbers, texts } from './array-params.ts'

/**
 * The limit is hidden from the planner, which then assumes a tenth of the rows and reads them in order. Given a limit
 * about as large as the number of rows that it expects, it sorts instead of using the index: in a burst that the
 * statistics did not have yet, it read and sorted all 20,000 due rows for each claim of 16 (1.1 ms, against 0.1).
 */
export function first(rows: number): SqlText {
  return sqlText`limit (select cast(${rows} as bigint))`
}

/** As an array: the planner expects ten elements of one, whatever it expects of the table, and uses the primary key. */
export function among(found: SqlText): SqlText {
  return sqlText`= any (array(${found}))`
}

const PICKED = among(raw('select picked_id from picked'))

/**
 * Every statement that picks rows has this form, and needs both parts:
 *
 * - The pick is a materialized CTE with `for update skip locked`: it runs once, and locks its rows before another
 *   transaction can pick them. As a plain `in (select … limit n)`, 16 claimers took 1,575 of 2,000 rows more than once.
 * - The change repeats the whole condition, because another transaction may have changed a picked row between the read
 *   and the lock; without it, a clean-up deleted a row that a replay had just made pending. The condition is in a
 *   `case`, so that the planner does not look for an index for it: outdated statistics made it read all 50,000 due rows
 *   for a claim of 25 (430 ms).
 *
 * @param unless a further condition of the pick alone
 */
export function pick({ where, order, limit }: Which, unless = raw('')): PickedByCte {
  const ordered = order && limit !== undefined ? sqlText`order by ${order} ${first(limit)}` : raw('')
  return picked(
    sqlText`select id as picked_id from pending_events where ${where} ${unless} ${ordered} for update skip locked`,
    where,
  )
}

/**
 * Picks the first rows of each lane. Inside the lateral, the pick continues with the next rows of a lane when the first
 * are locked, so that each of several workers gets its share while rows last.
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
 * A range, never `=`: for `=` the planner may choose the order of the primary key and read it from its beginning (468
 * ms beside a million rows of another workspace).
 */
export function inLane(workspaceId: SqlText, endpointId: SqlText): { where: SqlText; order: SqlText } {
  const lane = sqlText`(cast(${workspaceId} as text) collate "C", cast(${endpointId} as text) collate "C")`
  return {
    where: sqlText`ready = 1 and (workspace_id, endpoint_id) >= ${lane} and (workspace_id, endpoint_id) <= ${lane}`,
    order: IN_ORDER,
  }
}

/** A range as in a lane; `~` sorts after every endpoint. */
export function inLine(workspaceId: SqlText): { where: SqlText; order: SqlText } {
  const w = sqlText`cast(${workspaceId} as text) collate "C"`
  return {
    where: sqlText`ready = 1 and (workspace_id, endpoint_id) >= (${w}, '') and (workspace_id, endpoint_id) <= (${w}, '~')`,
    order: IN_ORDER,
  }
}

/**
 * A range as in a lane, and never an `exists` of such rows: for that the planner may read the table until it finds one.
 */
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
