import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, joined, raw, sqlText } from '@keepsend/outbox/internal'
import { doneTo } from './passes.ts'
import { SPANS, SPAN_RETENTION_MS, type Span } from './spans.ts'

/** Deletes sums past their retention, at most `limit` of each span. */
export async function cleanupStatistics(db: OutboxDatabase, limit: number): Promise<number> {
  const { dialect } = db
  // By an array of row ids Postgres looks each row up, whatever it expects of the table.
  const row = raw(dialect.name === 'postgres' ? 'ctid' : 'span, at, workspace_id, endpoint_id')
  const old = SPANS.map(
    (span) => sqlText`
      select * from (
        select ${row} from keepsend_statistics where span = ${raw(`'${span}'`)} and at < ${oldest(db, span)}
        order by at, workspace_id, endpoint_id ${dialect.first(limit)}) as ${raw(`${span}s`)}`,
  )
  const { changes } = await db.run(sqlText`
    delete from keepsend_statistics
    where (${row}) ${dialect.among(sqlText`select ${row} from (${joined(old, ' union all ')}) as old`)}`)
  return changes
}

/** Sums that the next span does not have yet stay. */
function oldest({ dialect }: Pick<OutboxDatabase, 'dialect'>, span: Span): SqlText {
  const old = sqlText`${clock()} - ${raw(String(SPAN_RETENTION_MS[span]))}`
  return span === 'day' ? old : sqlText`${dialect.least}(${old}, ${doneTo({ source: span })})`
}
