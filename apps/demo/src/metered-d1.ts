import type { D1Binding, D1Statement, D1StatementResult } from '@keepsend/outbox/d1'

/** Rows written as D1 reports and bills them, by verb and table, for example `insert pending_events`. */
export type RowsWritten = Record<string, number>

/** The response of `GET /meter` of worker-story.ts, since its process started. */
export interface Meter {
  rowsWritten: RowsWritten
  /** Deliveries that the cron dispatched again. */
  redispatched: number
}

/** Wraps D1 and sums up the rows that it reports for each statement. */
export function meterD1(binding: D1Binding): { d1: D1Binding; rowsWritten: RowsWritten } {
  const rowsWritten: RowsWritten = {}
  const inner = new WeakMap<D1Statement, { statement: D1Statement; kind: string }>()

  function add({ meta }: D1StatementResult, kind: string): void {
    const { rows_written: rows = 0 } = meta as { rows_written?: number }
    if (rows > 0) rowsWritten[kind] = (rowsWritten[kind] ?? 0) + rows
  }

  function wrap(statement: D1Statement, kind: string): D1Statement {
    const wrapped: D1Statement = {
      bind: (...params) => wrap(statement.bind(...params), kind),
      async all() {
        const result = await statement.all()
        add(result, kind)
        return result
      },
    }
    inner.set(wrapped, { statement, kind })
    return wrapped
  }

  const d1: D1Binding = {
    prepare: (sql) => wrap(binding.prepare(sql), kindOf(sql)),
    async batch(statements) {
      const parts = statements.map((statement) => inner.get(statement) ?? { statement, kind: 'other' })
      const results = await binding.batch(parts.map(({ statement }) => statement))
      results.forEach((result, at) => add(result, parts[at]?.kind ?? 'other'))
      return results
    },
  }
  return { d1, rowsWritten }
}

/** Verb and table of the first write in a statement. */
function kindOf(sql: string): string {
  const [, verb = 'other', table = ''] = /\b(insert|update|delete)\s+(?:into\s+|from\s+)?"?(\w+)/i.exec(sql) ?? []
  return `${verb.toLowerCase()} ${table}`.trim()
}
