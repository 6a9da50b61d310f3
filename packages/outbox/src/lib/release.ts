import type { OptionNames } from './options.ts'
import { checkNames } from './errors.ts'
import type { OutboxDatabase } from './database.ts'
import type { ClaimRef } from './row.ts'
import { settleEvents } from './settle.ts'

export interface ReleaseOptions {
  /** When the rows are due, ms since the epoch. @default immediately */
  dueAt?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const RELEASE_OPTIONS = { dueAt: 'number', now: 'number' } satisfies OptionNames<ReleaseOptions>

/**
 * Releases claims without an attempt: the attempt does not count, `gen` + 1, the row is due now or at `dueAt`. Returns
 * those of the given claims that were lost.
 */
export async function releaseEvents(
  db: OutboxDatabase,
  claims: readonly ClaimRef[],
  options: ReleaseOptions = {},
): Promise<ClaimRef[]> {
  checkNames('releaseEvents', RELEASE_OPTIONS, options)
  const { dueAt, now } = options
  const when = dueAt === undefined ? {} : { dueAt }
  const outcomes = claims.map((claim) => ({ settle: 'release', claim, ...when }) as const)
  const { lost } = await settleEvents(db, outcomes, { now })
  return lost
}
