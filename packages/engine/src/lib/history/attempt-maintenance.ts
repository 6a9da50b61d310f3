import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { Logger } from '../logger.ts'
import { settledAt } from './attempt-id.ts'
import { attachAhead, dropBefore, readPartitions } from './attempt-partitions.ts'
import { cleanupAttempts } from './attempt-retention.ts'
import { removeBodies } from './body-retention.ts'
import type { HistoryOptions } from './history-options.ts'
import { createWorkspaceCleanup } from './workspace-cleanup.ts'

/** The counts of one round. */
interface AttemptRound {
  deletedAttempts: number
  /** Whether a bound of the round was reached. */
  more: boolean
}

/** Creates a function that runs one bounded round of the maintenance of attempts. */
export function createAttemptMaintenance({
  db,
  logger,
  history,
  limit,
  upTo,
}: {
  db: OutboxDatabase
  logger: Logger
  history: HistoryOptions
  /** Rows of one kind in a round. */
  limit: number
  /** The last attempt that may be deleted. */
  upTo: SqlText | undefined
}): () => Promise<AttemptRound> {
  const { retentionMs, bodiesRetentionMs } = history
  const cleanupWorkspaces = createWorkspaceCleanup(db, history, { limit, upTo })
  const allBodies = { id: '', by: raw(''), where: raw('1 = 1'), retentionMs: bodiesRetentionMs }
  const refused = new Set<string>()

  return async () => {
    const partitions = db.dialect.name === 'postgres' ? await readPartitions(db) : undefined
    let more = false
    if (partitions) {
      await attachAhead(db, partitions, { retentionMs, refused, logger })
      const before = Math.min(partitions.now - retentionMs, upTo ? await firstAfter(db, upTo) : Infinity)
      const dropped = await dropBefore(db, partitions, { before, logger })
      more = dropped.more
    }
    const old = await cleanupAttempts(db, partitions, { retentionMs, limit, upTo })
    const ofWorkspaces = await cleanupWorkspaces(partitions)
    const bodies = bodiesRetentionMs < retentionMs ? await removeBodies(db, allBodies, limit) : 0
    return {
      deletedAttempts: old + ofWorkspaces.deleted,
      more: more || old === limit || ofWorkspaces.more || bodies === limit,
    }
  }
}

/** The time of the first attempt after this one; Infinity if there is none. */
async function firstAfter(db: OutboxDatabase, id: SqlText): Promise<number> {
  const { rows } = await db.run<{ id: string }>(sqlText`
    select cast(attempt.id as text) as "id" from keepsend_attempts as attempt
    where attempt.id > ${id} order by attempt.id ${db.dialect.first(1)}`)
  return rows[0] ? settledAt(db.dialect.name, rows[0].id) : Infinity
}
