import type { OutboxDatabase } from './database.ts'
import type { ClaimRef } from './row.ts'
import { settleEvents } from './settle.ts'

/**
 * Releases claims unused: the attempt does not count, `gen` + 1, the row due now or at `dueAt`. Returns the ids whose
 * claims no longer stood.
 */
export async function releaseEvents(
  db: OutboxDatabase,
  claims: readonly ClaimRef[],
  options: { dueAt?: number | undefined; now?: number | undefined } = {},
): Promise<string[]> {
  const { dueAt, now } = options
  const when = dueAt === undefined ? {} : { dueAt }
  const outcomes = claims.map((claim) => ({ settle: 'release', claim, ...when }) as const)
  const { lost } = await settleEvents(db, outcomes, { now })
  return lost
}
