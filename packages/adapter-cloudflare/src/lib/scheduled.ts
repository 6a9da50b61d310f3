import { type Engine, type MaintenanceResult, messageFor } from '@keepsend/engine'
import { NO_MAINTENANCE, errorFields } from '@keepsend/engine/internal'
import { type OldestRows, oldestRows, sweepPendingEvents } from '@keepsend/outbox'
import { dispatch } from './dispatch.ts'
import type { QueuePolicy } from './queue-policy.ts'

/** The result of one tick of the cron. The ages of the oldest rows are the numbers to monitor. */
export interface SweepReport extends OldestRows {
  /** Held rows that were resumed. */
  resumed: number
  /** Orphaned or due rows that were dispatched, or, without a queue, delivered. */
  redispatched: number
  /** Rows whose message the queue refused: due again at the next tick, no attempt counted. */
  released: number
  /** Rows without attempts left, marked failed. */
  exhausted: number
  maintenance: MaintenanceResult
}

/**
 * One tick of the cron: resumes held rows, dispatches orphaned and due rows again, at most `sweepLimit`, and runs maintenance.
 * Each row is leased under a new `gen` before its message is sent, so that concurrent crons dispatch it once, and older messages
 * become stale. Counts no attempt.
 *
 * @throws {AggregateError} when any part failed, after all parts ran; each error is logged too
 */
export async function sweep(policy: QueuePolicy): Promise<SweepReport> {
  const { engine, leaseMs, sweepLimit: limit } = policy
  return tick(engine, async (errors) => {
    // Before held rows are resumed, so that this tick sends what the steps have held.
    await engine.worker
      .stepReplays({ batch: MAX_RESUMED, everyMs: CRON_MS })
      .catch((error: unknown) => errors.push(error))
    await engine.worker.stepErasures({ pages: ERASED_PAGES }).catch((error: unknown) => errors.push(error))
    const resumed = await resumeHeldRows(policy, errors)
    const how = { limit, leaseMs, firstSends: 'all', perWorkspace: PER_WORKSPACE } as const
    const { events, exhausted } = await sweepPendingEvents(engine.db, how)
    engine.worker.noteClaim({ exhausted })
    // The counts are right even if releasing refused rows fails.
    const { refused: released, errors: ofSending } = await dispatch(policy, events)
    errors.push(...ofSending)
    return { resumed, redispatched: events.length - released, released, exhausted: exhausted.length }
  })
}

/** Resumes held rows with messages that are spread over the minute; the sweep repeats a lost one after the grace. */
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
// Two requests to D1 each.
const ERASED_PAGES = 50
// Rows waiting in the lanes of one workspace that a tick dispatches; their settles dispatch the rest.
const PER_WORKSPACE = 20
// Rows of one endpoint in one tick: a load that a receiver which has just recovered can take in a minute.
const MAX_RESUMED = 500

/** Runs all parts of a tick even if some fail, and throws their errors at the end. */
export async function tick(
  engine: Engine,
  work: (errors: unknown[]) => Promise<Pick<SweepReport, 'resumed' | 'redispatched' | 'released' | 'exhausted'>>,
): Promise<SweepReport> {
  const errors: unknown[] = []
  const orCollect = async <T>(part: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await part()
    } catch (error) {
      errors.push(error)
      return otherwise
    }
  }
  const worked = await orCollect(() => work(errors), { resumed: 0, redispatched: 0, released: 0, exhausted: 0 })
  await orCollect(() => engine.worker.checkKeys(), undefined)
  const maintenance = await orCollect(() => engine.worker.maintain(), NO_MAINTENANCE)
  const oldest = await orCollect(() => oldestRows(engine.db), { oldestDueMs: 0, oldestWaitingMs: 0 })
  const swept = { ...worked, maintenance, ...oldest }
  engine.worker.noteSweep(worked)
  for (const error of errors)
    engine.logger.error(errorFields(error), 'a part of the sweep failed; the next tick retries it')
  engine.logger.info({ ...swept }, 'swept')
  if (errors.length > 0) throw new AggregateError(errors, `the sweep failed in ${errors.length} of its parts`)
  return swept
}
