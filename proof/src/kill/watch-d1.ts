import type { D1Binding, D1Statement } from '@keepsend/outbox/d1'
import { type Place, type Unit, unitsOf } from './strike.ts'

/** Reports every commit on a D1, directly before it is sent and after its response. */
export function watchD1(binding: D1Binding, reached: (place: Place) => Promise<void>): D1Binding {
  const inner = new WeakMap<D1Statement, { statement: D1Statement; units: readonly Unit[] }>()

  async function commit<Result>(units: readonly Unit[], work: () => Promise<Result>): Promise<Result> {
    const named = new Set(units)
    for (const unit of named) await reached(`before the commit of ${unit}`)
    const result = await work()
    for (const unit of named) await reached(`after the commit of ${unit}`)
    return result
  }

  function wrap(statement: D1Statement, units: readonly Unit[]): D1Statement {
    const wrapped: D1Statement = {
      bind: (...params) => wrap(statement.bind(...params), units),
      all: () => commit(units, () => statement.all()),
    }
    inner.set(wrapped, { statement, units })
    return wrapped
  }

  return {
    prepare: (sql) => wrap(binding.prepare(sql), unitsOf(sql)),
    batch(statements) {
      const parts = statements.map((statement) => inner.get(statement) ?? { statement, units: [] })
      return commit(
        parts.flatMap(({ units }) => units),
        () => binding.batch(parts.map(({ statement }) => statement)),
      )
    },
  }
}
