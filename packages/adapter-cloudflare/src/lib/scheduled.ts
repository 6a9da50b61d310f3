import { type Engine, type MaintenanceResult, logExhausted, messageFor } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { oldestDue, sweepPendingEvents } from '@keepsend/outbox'
import { dispatch } from './dispatch.ts'
import type { QueuePolicy } from './queue-policy.ts'

/** What one tick of the cron did. */
export interface SweepReport {
  /** Rows that were held for an endpoint and are on their way now. */
  resumed: number
  /** Rows that had fallen through and were handed on, or, without a queue, worked. */
  redispatched: number
  /** Rows whose hand-off the queue refused: due again at the next tick, nothing charged. */
  released: number
  /** Rows found with their attempts used up, failed now. */
  exhausted: number
  maintenance: MaintenanceResult
  /** How long the row that has waited longest, due or in line, has waited, in ms; 0 when none waits. The number to watch. */
  oldestDueMs: number
}

/**
 * One tick: hands rows that fell through to the queue again, at most `sweepLimit`, and cleans up. Each row is taken
 * under a new `gen` and a lease before its message is sent, so that two crons at once hand each row over once and what
 * they send makes older messages stale. Charges no attempt.
 *
 * @throws {AggregateError} when anything failed, after everything was tried: the platform shows it, a log keeps it
 */
export async function sweep(policy: QueuePolicy): Promise<SweepReport> {
  const { engine, leaseMs, sweepLimit: limit } = policy
  return tick(engine, async (errors) => {
    const resumed = await resumeHeldRows(policy, errors)
    const how = { limit, leaseMs, firstSends: 'all', perWorkspace: PER_WORKSPACE } as const
    const { events, exhausted } = await sweepPendingEvents(engine.db, how)
    logExhausted(engine.logger, exhausted)
    // The counts stand whatever becomes of what was refused.
    const { refused: released, errors: ofSending } = await dispatch(policy, events)
    errors.push(...ofSending)
    return { resumed, redispatched: events.length - released, released, exhausted: exhausted.length }
  })
}

/** What is held comes by messages of its own, spread over the minute; a lost one is swept after the grace. */
async function resumeHeldRows({ engine, queue, graceMs }: QueuePolicy, errors: unknown[]): Promise<number> {
  try {
    const { resumed } = await engine.worker.resumeHeld({ batch: MAX_RESUMED, everyMs: CRON_MS, graceMs })
    const { failed } = await queue.sendDelayed(
      resumed.map((row) => ({ message: messageFor(row), delaySeconds: Math.ceil(row.delayMs / 1000) })),
    )
    errors.push(...failed.map(({ error }) => error))
    return resumed.length
  } catch (error) {
    errors.push(error)
    return 0
  }
}

const CRON_MS = 60_000
// Rows in line of one workspace that a tick dispatches: their settles dispatch the rest.
const PER_WORKSPACE = 20
// Of one endpoint in one tick: what a receiver that has just recovered can take in a minute.
const MAX_RESUMED = 500

/** The frame of a tick: what fails keeps nothing else from running, and is thrown at the end. */
export async function tick(
  engine: Engine,
  work: (errors: unknown[]) => Promise<Pick<SweepReport, 'resumed' | 'redispatched' | 'released' | 'exhausted'>>,
): Promise<SweepReport> {
  const errors: unknown[] = []
  const orReport = async <T>(part: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await part()
    } catch (error) {
      errors.push(error)
      return otherwise
    }
  }
  const worked = await orReport(() => work(errors), { resumed: 0, redispatched: 0, released: 0, exhausted: 0 })
  await orReport(() => engine.worker.checkKeys(), undefined)
  const maintenance = await orReport(() => engine.worker.maintain(), {
    expired: 0,
    deletedRows: 0,
    deletedPayloads: 0,
    deletedRecords: 0,
    deletedSecrets: 0,
    orphanedHolds: 0,
    orphaned: 0,
    more: false,
  })
  const oldestDueMs = await orReport(() => oldestDue(engine.db), 0)
  const swept = { ...worked, maintenance, oldestDueMs }
  for (const error of errors) engine.logger.error(errorFields(error), 'a part of the sweep failed')
  engine.logger.info({ ...swept }, 'swept')
  if (errors.length > 0) throw new AggregateError(errors, `the sweep failed in ${errors.length} of its parts`)
  return swept
}
