import { type Engine, type Upkeep, errorFields, logExhausted, messageFor } from '@keepsend/engine'
import { oldestDue, sweepPendingEvents } from '@keepsend/outbox'
import { dispatch } from './dispatch.ts'
import type { QueuePolicy } from './queue-policy.ts'

/** What one tick of the cron did. */
export interface Swept {
  /** Rows that were held for an endpoint and are on their way now. */
  letOut: number
  /** Rows that had fallen through and were handed on, or, without a queue, worked. */
  handedOn: number
  /** Rows whose hand-off the queue refused: due again at the next tick, nothing charged. */
  released: number
  /** Rows found with their attempts used up, failed now. */
  dead: number
  upkeep: Upkeep
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
export async function sweep(policy: QueuePolicy): Promise<Swept> {
  const { engine, leaseMs, sweepLimit: limit } = policy
  return tick(engine, async (errors) => {
    const letOut = await letOutHeld(policy, errors)
    const how = { limit, leaseMs, firstSends: 'all', perWorkspace: PER_WORKSPACE } as const
    const { events, dead } = await sweepPendingEvents(engine.db, how)
    logExhausted(engine.logger, dead)
    // The counts stand whatever becomes of what was refused.
    const { refused: released, errors: ofSending } = await dispatch(policy, events)
    errors.push(...ofSending)
    return { letOut, handedOn: events.length - released, released, dead: dead.length }
  })
}

/** What is held comes by messages of its own, spread over the minute; a lost one is swept after the grace. */
async function letOutHeld({ engine, queue, graceMs }: QueuePolicy, errors: unknown[]): Promise<number> {
  try {
    const { letOut } = await engine.wake({ batch: LET_OUT, everyMs: CRON_MS, graceMs })
    const { failed } = await queue.sendDelayed(
      letOut.map((row) => ({ message: messageFor(row), delaySeconds: Math.ceil(row.delayMs / 1000) })),
    )
    errors.push(...failed.map(({ error }) => error))
    return letOut.length
  } catch (error) {
    errors.push(error)
    return 0
  }
}

const CRON_MS = 60_000
// Rows in line of one workspace that a tick dispatches: their settles dispatch the rest.
const PER_WORKSPACE = 20
// Of one endpoint in one tick: what a receiver that has just recovered can take in a minute.
const LET_OUT = 500

/** The frame of a tick: what fails keeps nothing else from running, and is thrown at the end. */
export async function tick(
  engine: Engine,
  work: (errors: unknown[]) => Promise<Pick<Swept, 'letOut' | 'handedOn' | 'released' | 'dead'>>,
): Promise<Swept> {
  const errors: unknown[] = []
  const orReport = async <T>(part: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await part()
    } catch (error) {
      errors.push(error)
      return otherwise
    }
  }
  const worked = await orReport(() => work(errors), { letOut: 0, handedOn: 0, released: 0, dead: 0 })
  await orReport(() => engine.checkKeys(), undefined)
  const upkeep = await orReport(() => engine.maintain(), {
    expired: 0,
    deletedRows: 0,
    deletedPayloads: 0,
    deletedRecords: 0,
    deletedSecrets: 0,
    strays: 0,
    orphaned: 0,
    more: false,
  })
  const oldestDueMs = await orReport(() => oldestDue(engine.db), 0)
  const swept = { ...worked, upkeep, oldestDueMs }
  for (const error of errors) engine.logger.error(errorFields(error), 'a part of the sweep failed')
  engine.logger.info({ ...swept }, 'swept')
  if (errors.length > 0) throw new AggregateError(errors, `the sweep failed in ${errors.length} of its parts`)
  return swept
}
