import type { D1Binding, D1Statement, D1StatementResult } from '@keepsend/outbox/d1'

/** The rows that D1 bills, and the number of calls. */
export interface Meter {
  rowsRead: number
  rowsWritten: number
  statements: number
  /** Calls to D1: a batch is one. */
  calls: number
  /** The first words of each statement, in order. */
  kinds: string[]
}

/** Wraps the binding, and sums up the rows that D1 reports for each statement. */
export function metered(binding: D1Database): { d1: D1Binding; read: () => Meter } {
  let meter: Meter = { rowsRead: 0, rowsWritten: 0, statements: 0, calls: 0, kinds: [] }
  const inner = new WeakMap<D1Statement, { statement: D1PreparedStatement; sql: string }>()

  function add({ meta }: D1Result, sql: string): void {
    meter.rowsRead += meta.rows_read
    meter.rowsWritten += meta.rows_written
    meter.statements += 1
    meter.kinds.push(sql.trim().split(/\s+/).slice(0, 2).join(' '))
  }

  function wrap(statement: D1PreparedStatement, sql: string): D1Statement {
    const wrapped: D1Statement = {
      bind: (...params) => wrap(statement.bind(...params), sql),
      async all() {
        meter.calls += 1
        const result = await statement.all()
        add(result, sql)
        return result
      },
    }
    inner.set(wrapped, { statement, sql })
    return wrapped
  }

  return {
    d1: {
      prepare: (sql) => wrap(binding.prepare(sql), sql),
      async batch(statements): Promise<D1StatementResult[]> {
        meter.calls += 1
        const parts = statements.map(
          (statement) => inner.get(statement) as { statement: D1PreparedStatement; sql: string },
        )
        const results = await binding.batch(parts.map(({ statement }) => statement))
        results.forEach((result, index) => add(result, parts[index]?.sql ?? ''))
        return results
      },
    },
    /** The sums since the last call. */
    read() {
      const seen = meter
      meter = { rowsRead: 0, rowsWritten: 0, statements: 0, calls: 0, kinds: [] }
      return seen
    },
  }
}
