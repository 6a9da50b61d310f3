import type { OutboxDatabase } from '@keepsend/outbox'
import { createAttemptMaintenance } from './history/attempt-maintenance.ts'
import { cleanupEvents } from './history/event-retention.ts'
import type { HistoryOptions } from './history/history-options.ts'
import { type Logger, errorFields } from './logger.ts'
import { cleanupProblems } from './problems/problem-retention.ts'
import { doneTo } from './statistics/passes.ts'
import { rollUp } from './statistics/roll-up.ts'
import { cleanupStatistics } from './statistics/statistics-retention.ts'
import type { Heartbeat } from './workers.ts'

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
  heartbeat: Heartbeat | undefined
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
  const { db, logger, history, heartbeat, limit } = deps
  const { retentionMs, statistics } = history
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
    // Also those of a time in which `events` and `statistics` were on.
    const deletedEvents = await orLog('events', () => cleanupEvents(db, { retentionMs, limit }), 0)
    const { counted, more } = statistics
      ? await orLog('statistics', () => rollUp(db), NOTHING_COUNTED)
      : NOTHING_COUNTED
    const deletedStatistics = await orLog('statistics', () => cleanupStatistics(db, limit), 0)
    const attempts = await orLog('attempts', maintainAttempts, { deletedAttempts: 0, more: false })
    const deletedProblems = await orLog('problems', () => cleanupProblems(db, { retentionMs, limit }), 0)
    await orLog('workers', async () => heartbeat?.beat(), undefined)
    return {
      deletedAttempts: attempts.deletedAttempts,
      deletedEvents,
      countedAttempts: counted,
      deletedStatistics,
      deletedProblems,
      more: attempts.more || more || deletedEvents >= limit || deletedStatistics >= limit || deletedProblems === limit,
    }
  }
}

const NOTHING_COUNTED = { counted: 0, more: false }
