import type { OutboxDatabase } from './database.ts'
import { checkOptions } from './option-names.ts'
import type { ClaimRef } from './row.ts'
import { settleEvents } from './settle.ts'

export interface ReleaseOptions {
  /** When the rows are due, ms since the epoch. @default at once */
  dueAt?: number | undefined
  /** The time to go by, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

/**
 * Gives claims back unused: the attempt is refunded, `gen` bumped, the row due at once or at `dueAt`. Returns the ids
 * that were no longer held.
 */
export async function releaseEvents(
  db: OutboxDatabase,
  claims: readonly ClaimRef[],
  options: ReleaseOptions = {},
): Promise<string[]> {
  checkOptions('releaseEvents', options)
  const { dueAt, now } = options
  const outcomes = claims.map((claim) => ({ settle: 'release', claim, dueAt }) as const)
  const { lost } = await settleEvents(db, outcomes, { now })
  return lost
}
