import type { OutboxDatabase } from '@keepsend/outbox'
import { createAttemptMaintenance } from './history/attempt-maintenance.ts'
import { cleanupEvents } from './history/event-retention.ts'
import type { HistoryOptions } from './history/history-options.ts'
import { type Logger, errorFields } from './logger.ts'
import { cleanupProblems } from './problems/problem-retention.ts'
import { doneTo } from './statistics/passes.ts'
import { rollUp } from './statistics/roll-up.ts'
import { cleanupStatistics } from './statistics/statistics-retention.ts'

/** The counts of one round of maintenance of the history; zeros without `history`. */
export interface HistoryMaintenance {
  /** Deleted attempts past their retention. */
  deletedAttempts: number
  /** Deleted events past their retention. */
  deletedEvents: number
  /** Attempts that were added to the statistics. */
  countedAttempts: number
  /** Deleted statistics past their retention. */
  deletedStatistics: number
  /** Deleted problems that were not seen for the retention of the history. */
  deletedProblems: number
}

export const NO_HISTORY: HistoryMaintenance & { more: boolean } = {
  deletedAttempts: 0,
  deletedEvents: 0,
  countedAttempts: 0,
  deletedStatistics: 0,
  deletedProblems: 0,
  more: false,
}

interface HistoryMaintenanceDeps {
  db: OutboxDatabase
  logger: Logger
  history: HistoryOptions
  /** Rows of one kind in a round. */
  limit: number
}

/**
 * Creates a function that runs one bounded round of the maintenance of the history. A step that fails is logged and tried again at
 * the next round: history never costs a delivery, and the rest of the maintenance fails deliveries that are too old.
 */
export function createHistoryMaintenance(
  deps: HistoryMaintenanceDeps,
): () => Promise<HistoryMaintenance & { more: boolean }> {
  const { db, logger, history, limit } = deps
  const { retentionMs, events, statistics } = history
  // An attempt stays until it is counted.
  const upTo = statistics ? doneTo({ source: 'attempt' }) : undefined
  const maintainAttempts = createAttemptMaintenance({ ...deps, upTo })

  async function orLog<T>(what: string, step: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await step()
    } catch (error) {
      logger.error(errorFields(error), `the maintenance of ${what} failed; trying again at the next one`)
      return otherwise
    }
  }

  return async () => {
    const deletedEvents = events ? await orLog('events', () => cleanupEvents(db, { retentionMs, limit }), 0) : 0
    const { counted, deleted, more } = statistics
      ? await orLog('statistics', () => maintainStatistics(db, limit), NO_STATISTICS)
      : NO_STATISTICS
    const attempts = await orLog('attempts', maintainAttempts, { deletedAttempts: 0, more: false })
    const deletedProblems = await orLog('problems', () => cleanupProblems(db, { retentionMs, limit }), 0)
    return {
      deletedAttempts: attempts.deletedAttempts,
      deletedEvents,
      countedAttempts: counted,
      deletedStatistics: deleted,
      deletedProblems,
      more: attempts.more || more || deletedEvents >= limit || deletedProblems === limit,
    }
  }
}

const NO_STATISTICS = { counted: 0, deleted: 0, more: false }

async function maintainStatistics(db: OutboxDatabase, limit: number): Promise<typeof NO_STATISTICS> {
  const { counted, more } = await rollUp(db)
  const deleted = await cleanupStatistics(db, limit)
  return { counted, deleted, more: more || deleted >= limit }
}
