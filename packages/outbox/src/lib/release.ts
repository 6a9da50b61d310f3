import type { OutboxDatabase } from './database.ts'
import type { ClaimRef } from './row.ts'
import { settleEvents } from './settle.ts'

/**
 * Gives claims back unused: the attempt is refunded, `gen` bumped, the row due at once or at `dueAt`. Returns the ids
 * that were no longer held.
 */
export async function releaseEvents(
  db: OutboxDatabase,
  claims: readonly ClaimRef[],
  options: { dueAt?: number; now?: number } = {},
): Promise<string[]> {
  const { dueAt, now } = options
  const outcomes = claims.map((claim) => ({ settle: 'release', claim, ...(dueAt !== undefined && { dueAt }) }) as const)
  const { lost } = await settleEvents(db, outcomes, now === undefined ? {} : { now })
  return lost
}
