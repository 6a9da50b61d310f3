import { type OutboxDatabase, Transaction } from '@keepsend/outbox'
import { type SqlText, clock, isNullRefused, raw, sqlText } from '@keepsend/outbox/internal'
import type { Job } from './erasure-job.ts'

/** The values that a step writes. */
export interface Step {
  position: Job['position']
  statements: readonly SqlText[]
  /** When the next step is due, in ms from now; undefined: this is the last. */
  nextInMs: number | undefined
  reason?: Job['reason']
}

/**
 * Commits a step of a job in one transaction: compares and raises `step`, moves the position, and deletes. If another step was first,
 * the step is a null, which the column refuses: nothing of the transaction is committed.
 *
 * @returns whether it was committed
 */
export async function commitStep(
  db: OutboxDatabase,
  { id, step }: Pick<Job, 'id' | 'step'>,
  { position, statements, nextInMs, reason = null }: Step,
): Promise<boolean> {
  const ends = nextInMs === undefined
  const transaction = new Transaction()
  transaction.add(sqlText`
    update keepsend_erasures set
      step = case when step = ${step} and state = 'running' then step + 1 end,
      position = ${JSON.stringify(position)},
      reason = ${reason},
      due_at = ${clock()} + cast(${Math.ceil(nextInMs ?? 0)} as bigint)
      ${ends ? sqlText`, state = 'completed', ended_at = ${clock()}` : raw('')}
    where id = ${id}`)
  transaction.addAll(statements)
  try {
    await transaction.commit(db)
    return true
  } catch (error) {
    if (isNullRefused(error, 'keepsend_erasures', 'step')) return false
    throw error
  }
}
