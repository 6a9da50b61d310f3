import type { D1Binding, D1Statement, D1StatementResult } from '@keepsend/outbox/d1'

/**
 * The result of one call to D1.
 *
 * - `refused`: it fails without any effect.
 * - `answer lost`: it takes effect, and its response is an error.
 * - `dies`: the isolate ends before the call reaches D1: neither this call nor any later one is answered.
 */
export type Fate = 'well' | 'refused' | 'answer lost' | 'dies'

/** One call to D1: a statement, or the statements of a batch. */
interface Call {
  /** Counted from 0 since `judge` was called. */
  index: number
  /** The first word of each statement; of an update with a table of its own `update`. */
  verbs: string[]
}

export interface FaultyD1 {
  d1: D1Binding
  /** Sets the function that decides the result of calls, and counts from 0 again. Without one all calls succeed. */
  judge: (decide?: (call: Call) => Fate) => void
  /** Resolves when the isolate ends. */
  died: () => Promise<void>
  /** The calls since then, with their results. */
  calls: { verbs: string[]; fate: Fate }[]
}

function verbOf(sql: string): string {
  const [first = ''] = sql.trim().split(/\s+/, 1)
  return /^with move\b/.test(sql.trim()) ? 'update' : first
}

/** A database whose calls end as the test decides. */
export function faulty(binding: D1Database): FaultyD1 {
  let decide: (call: Call) => Fate = () => 'well'
  let dead = false
  let deaths = Promise.withResolvers<void>()
  const inner = new WeakMap<D1Statement, { statement: D1PreparedStatement; verb: string }>()

  async function call<T>(verbs: string[], work: () => Promise<T>): Promise<T> {
    const fate = dead ? 'dies' : decide({ index: faults.calls.length, verbs })
    faults.calls.push({ verbs, fate })
    switch (fate) {
      case 'well':
        return work()
      case 'refused':
        throw new Error('D1_ERROR: D1 DB is overloaded. Too many requests queued.')
      case 'answer lost':
        await work()
        throw new Error('D1_ERROR: Network connection lost.')
      case 'dies':
        dead = true
        deaths.resolve()
        return new Promise(() => {})
    }
  }

  function wrap(statement: D1PreparedStatement, verb: string): D1Statement {
    const wrapped: D1Statement = {
      bind: (...params) => wrap(statement.bind(...params), verb),
      all: () => call([verb], () => statement.all()),
    }
    inner.set(wrapped, { statement, verb })
    return wrapped
  }

  const faults: FaultyD1 = {
    calls: [],
    died: () => deaths.promise,
    judge(next = () => 'well') {
      decide = next
      dead = false
      deaths = Promise.withResolvers()
      faults.calls.length = 0
    },
    d1: {
      prepare: (sql) => wrap(binding.prepare(sql), verbOf(sql)),
      async batch(statements): Promise<D1StatementResult[]> {
        const parts = statements.flatMap((statement) => inner.get(statement) ?? [])
        return call(
          parts.map(({ verb }) => verb),
          () => binding.batch(parts.map(({ statement }) => statement)),
        )
      },
    },
  }
  return faults
}
