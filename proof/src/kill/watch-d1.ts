import type { D1Binding, D1Statement } from '@keepsend/outbox/d1'
import { type Place, type Unit, unitOf } from './strike.ts'

/** Tells of every commit on a D1, right before it is sent and right after it is answered. */
export function watchD1(binding: D1Binding, reached: (place: Place) => Promise<void>): D1Binding {
  const inner = new WeakMap<D1Statement, { statement: D1Statement; unit: Unit | undefined }>()

  async function commit<Result>(units: readonly (Unit | undefined)[], work: () => Promise<Result>): Promise<Result> {
    const named = new Set(units.filter((unit) => unit !== undefined))
    for (const unit of named) await reached(`before the commit of ${unit}`)
    const result = await work()
    for (const unit of named) await reached(`after the commit of ${unit}`)
    return result
  }

  function wrap(statement: D1Statement, unit: Unit | undefined): D1Statement {
    const wrapped: D1Statement = {
      bind: (...params) => wrap(statement.bind(...params), unit),
      all: () => commit([unit], () => statement.all()),
    }
    inner.set(wrapped, { statement, unit })
    return wrapped
  }

  return {
    prepare: (sql) => wrap(binding.prepare(sql), unitOf(sql)),
    batch(statements) {
      const parts = statements.map((statement) => inner.get(statement) ?? { statement, unit: undefined })
      return commit(
        parts.map(({ unit }) => unit),
        () => binding.batch(parts.map(({ statement }) => statement)),
      )
    },
  }
}
