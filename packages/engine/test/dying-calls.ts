import type { OutboxDatabase } from '@keepsend/outbox'

/** How the call ends that a process dies in. */
export const FATES = ['never reaches the database', 'is committed, and its answer is lost'] as const

/** A process that dies in one of its calls to the database: nothing of it reaches the database after that. */
export function dyingCalls(fate: (typeof FATES)[number]) {
  let calls = 0
  let dies = Infinity
  async function call<T>(work: () => Promise<T>): Promise<T> {
    const index = calls++
    if (index < dies) return work()
    if (index === dies && fate.startsWith('is committed')) await work()
    throw new Error('the process died')
  }
  return {
    wrap: (db: OutboxDatabase): OutboxDatabase => ({
      ...db,
      run: (statement) => call(() => db.run(statement)),
      atomic: (statements) => call(() => db.atomic(statements)),
    }),
    /** Does the work as a process that dies in the call of this index. @returns whether it came to that call */
    async dieAt(index: number, work: () => Promise<unknown>): Promise<boolean> {
      calls = 0
      dies = index
      await work().catch(() => undefined)
      return calls > dies
    },
  }
}
