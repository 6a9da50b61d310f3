import type { D1Binding, D1Statement, D1StatementResult } from '@keepsend/outbox/d1'

/** Rows that D1 bills, and the number of calls. */
export interface Meter {
  rowsWritten: number
  rowsRead: number
  statements: number
  /** Calls to D1: a batch is one. */
  calls: number
}

/** The same binding, which adds up the rows that D1 reports as read and written by each statement. */
export function meterD1(binding: D1Binding): { d1: D1Binding; meter: Meter } {
  const meter: Meter = { rowsWritten: 0, rowsRead: 0, statements: 0, calls: 0 }
  const inner = new WeakMap<D1Statement, D1Statement>()

  function add({ meta }: D1StatementResult): void {
    const { rows_written: written = 0, rows_read: read = 0 } = meta as { rows_written?: number; rows_read?: number }
    meter.rowsWritten += written
    meter.rowsRead += read
    meter.statements += 1
  }

  function wrap(statement: D1Statement): D1Statement {
    const wrapped: D1Statement = {
      bind: (...params) => wrap(statement.bind(...params)),
      async all() {
        meter.calls += 1
        const result = await statement.all()
        add(result)
        return result
      },
    }
    inner.set(wrapped, statement)
    return wrapped
  }

  const d1: D1Binding = {
    prepare: (sql) => wrap(binding.prepare(sql)),
    async batch(statements) {
      meter.calls += 1
      const results = await binding.batch(statements.map((statement) => inner.get(statement) ?? statement))
      for (const result of results) add(result)
      return results
    },
  }
  return { d1, meter }
}
