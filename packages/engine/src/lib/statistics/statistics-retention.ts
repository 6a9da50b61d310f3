import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, joined, raw, sqlText } from '@keepsend/outbox/internal'
import { doneTo } from './passes.ts'
import { SPANS, SPAN_RETENTION_MS, type Span } from './spans.ts'

/** Deletes sums past their retention, at most `limit` of each span. */
export async function cleanupStatistics(db: OutboxDatabase, limit: number): Promise<number> {
  const { dialect } = db
  const old = SPANS.map(
    (span) => sqlText`
      select * from (
        select span, at, workspace_id, endpoint_id from keepsend_statistics
        where span = ${raw(`'${span}'`)} and at < ${oldest(db, span)}
        order by at, workspace_id, endpoint_id ${dialect.first(limit)}) as ${raw(`${span}s`)}`,
  )
  const { changes } = await db.run(sqlText`
    delete from keepsend_statistics where (span, at, workspace_id, endpoint_id) in (${joined(old, ' union all ')})`)
  return changes
}

/** Rows that are not in the sums of the next span yet stay. */
function oldest({ dialect }: Pick<OutboxDatabase, 'dialect'>, span: Span): SqlText {
  const old = sqlText`${clock()} - ${raw(String(SPAN_RETENTION_MS[span]))}`
  return span === 'day' ? old : sqlText`${dialect.least}(${old}, ${doneTo({ source: span })})`
}
