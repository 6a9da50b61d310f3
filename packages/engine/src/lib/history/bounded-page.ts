import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, allOf, raw, sqlText } from '@keepsend/outbox/internal'
import type { AttemptRange } from './attempt-range.ts'

// Attempts that a page reads at most; it ends as soon as it is full.
const MAX_READ = 2000
const LAST = raw(String(MAX_READ))

interface BoundedPage {
  range: AttemptRange
  /** The oldest attempt of the range. */
  least: SqlText
  /** The column that is the position in the range. */
  position: 'id' | 'delivery_id'
  /** Compared attempt by attempt. */
  compared: readonly SqlText[]
  /** Attempts that the page shows, and one more. */
  rows: number
}

/**
 * The first attempts of a range that meet some conditions: `tables`, the last of which is `edge (reached)`, the position of the
 * last attempt that was read if there may be more; and `join`, which follows the `edge` with each `attempt` of the page.
 *
 * The statement names the table once on Postgres, which plans each partition for each time.
 */
export function boundedPage(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { range: { index, newestFirst, from }, least, position, compared, rows }: BoundedPage,
): { tables: SqlText; join: SqlText } {
  const isPartitioned = dialect.name === 'postgres'
  const columns = raw(isPartitioned ? 'attempt.*' : `attempt.${position} as ${position}, attempt.id as attempt_id`)
  const by = index === undefined ? raw('') : dialect.by(index)
  // Nested: SQLite would read all attempts of a table that is named, and not end when the page is full.
  const tables = sqlText`
        page as materialized (
          select * from (
            select passed.*, row_number() over () as nth from (
              select ${columns}, ${allOf([raw('1 = 1'), ...compared])} as is_shown from keepsend_attempts as attempt ${by}
              where ${from(least)} order by ${newestFirst} ${dialect.first(MAX_READ)}) as passed) as numbered
          where is_shown or nth = ${LAST} ${dialect.first(rows)}),
        edge (reached) as (select max(page.${raw(position)}) from page where page.nth = ${LAST})`
  const join = isPartitioned
    ? raw('left join page as attempt on attempt.is_shown')
    : raw(
        `left join keepsend_attempts as attempt on attempt.id in (select page.attempt_id from page where page.is_shown)`,
      )
  return { tables, join }
}
