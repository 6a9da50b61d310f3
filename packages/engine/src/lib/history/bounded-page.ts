import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, allOf, raw, sqlText } from '@keepsend/outbox/internal'
import type { AttemptRange } from './attempt-range.ts'

/** Attempts that a page reads at most; it ends as soon as it is full. */
const MAX_READ = 2000

interface BoundedPage {
  range: AttemptRange
  /** The oldest attempt of the range. */
  least: SqlText
  /** The column of the `attempt` that is the position in the range. */
  position: SqlText
  /** What is compared attempt by attempt. */
  compared: readonly SqlText[]
  /** Attempts that the page shows, and one more. */
  rows: number
}

/**
 * The tables `page (id)`, the first attempts of a range that meet some conditions, and `edge (newest, reached)`: the first position
 * of the range, and the last that was read if there may be more; null if there is none. The page is read in the order of the
 * index until it is full; the edge comes from the index alone.
 */
export function boundedPage(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { range: { index, newestFirst, from }, least, position, compared, rows }: BoundedPage,
): SqlText {
  const attempt = sqlText`keepsend_attempts as attempt ${index === undefined ? raw('') : dialect.by(index)}`
  const ordered = sqlText`from ${attempt} where ${from(least)} order by ${newestFirst}`
  const isShown = allOf([raw('1 = 1'), ...compared])
  return sqlText`
        page (id) as materialized (
          select id from (
            select attempt.id as id, ${isShown} as is_shown ${ordered} ${dialect.first(MAX_READ)}) as looked
          where is_shown ${dialect.first(rows)}),
        edge (newest, reached) as materialized (
          select (select ${position} ${ordered} ${dialect.first(1)}),
            case when count(*) < ${raw(String(rows))} then (select ${position} ${ordered} ${dialect.nth(MAX_READ)}) end
          from page)`
}
