import type { Which } from '../dialect.ts'
import { type SqlText, raw, sqlText } from '../statement.ts'

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
export function pick({ where, order, limit, unless = raw('') }: Which & { unless?: SqlText }): {
  cte: SqlText
  with: SqlText
  where: SqlText
} {
  const ordered = order && limit !== undefined ? sqlText`order by ${order} ${first(limit)}` : raw('')
  const cte = sqlText`picked as materialized (
      select id as picked_id from pending_events where ${where} ${unless} ${ordered} for update skip locked)`
  return {
    cte,
    with: sqlText`with ${cte}`,
    where: sqlText`id ${PICKED} and case when ${where} then true else false end`,
  }
}
