import type { OutboxDatabase, SettleResult, TakenEvent } from '@keepsend/outbox'
import {
  RESUME_HELD_OPTIONS,
  type ResumeHeldOptions,
  type ResumeHeldResult,
  checkResumeHeldOptions,
  resumeHeld,
} from './backlog/resume-due.ts'
import { type Admission, admitRows } from './delivery/admission.ts'
import type { DeliveryOutcome, FinishedDelivery } from './outcome.ts'
import { type DeliverDeps, INTERNAL_ERROR, deliverEvent } from './delivery/deliver.ts'
import { logAttempt, logChanges } from './delivery/delivery-log.ts'
import {
  SETTLE_NEXT_OPTIONS,
  type SettleDeps,
  type SettleNext,
  noteOutcomes,
  settleDeliveries,
} from './delivery/settle-deliveries.ts'
import { type SettleEachResult, createSettleEach } from './delivery/settle-each.ts'
import { checkNames } from './errors.ts'
import { errorFields } from './logger.ts'
import { type MaintenanceDeps, type MaintenanceResult, maintain } from './maintenance.ts'
import { jittered } from './retry-schedule.ts'
import type { KeyCheck } from './secrets/key-check.ts'

/** The part of an engine that delivers: a poller, a queue consumer and a cron call it, a host does not. */
export interface EngineWorker {
  /** Whether the engine has a sender. An engine without one publishes, and another process delivers. */
  readonly canDeliver: boolean
  /** Bound on one attempt with everything in it, in ms: a lease must be longer. */
  readonly maxDeadlineMs: number
  /**
   * Makes one attempt. `now` is the database's time, ms since the epoch. Never rejects: a defect of Keepsend is an outcome
   * too. Under a rate limit it waits for its slot time, unless the row was admitted and waited already.
   */
  deliver(event: TakenEvent, now: number, options?: { admitted?: boolean | undefined }): Promise<DeliveryOutcome>
  /** Records the outcomes of attempts and, in the same commit, takes the next claim. All of it, or it rejects. */
  settle(finished: readonly FinishedDelivery[], next?: SettleNext): Promise<SettleResult>
  /**
   * {@link EngineWorker.settle}, which retries row by row when the database refuses the group, and reports each outcome by
   * itself. Rejects only when there was nothing to settle.
   */
  settleEach<F extends FinishedDelivery>(finished: readonly F[], next?: SettleNext): Promise<SettleEachResult<F>>
  /** Resumes held rows of endpoints whose `resume_at` has come. For the timer of a poller, or a cron. */
  resumeHeld(options?: ResumeHeldOptions): Promise<ResumeHeldResult>
  /** How many concurrent attempts the endpoints of claimed rows allow, and under a rate limit the slot time of each row. */
  admit(rows: readonly Pick<TakenEvent, 'id' | 'endpointId'>[]): Promise<Admission>
  /**
   * Checks that the keys of `secrets` are those of the database: reads a known text under each key that was ever the first,
   * and stores one for the first key of now. The adapters call it at the start, and `GET /health` checks too. A database
   * that does not answer is logged.
   *
   * @throws {EngineError} `secret_unreadable`, naming the key that is missing or differs
   */
  checkKeys(): Promise<void>
  /** Runs one bounded round of maintenance: expires rows that are too old, deletes rows past their retention. */
  maintain(): Promise<MaintenanceResult>
}

export interface WorkerDeps extends MaintenanceDeps, SettleDeps {
  db: OutboxDatabase
  delivering: DeliverDeps
  keyCheck: KeyCheck
  monotonic: () => number
}

// After a defect of Keepsend, not of the receiver.
const INTERNAL_ERROR_RETRY_MS = 60_000

export function createEngineWorker(deps: WorkerDeps): EngineWorker {
  const { db, logger, random, circuit, delivering, keyCheck, monotonic } = deps

  const settle: EngineWorker['settle'] = async (finished, next = {}) => {
    checkNames('engine.worker.settle', SETTLE_NEXT_OPTIONS, next)
    const { changes, ...settled } = await settleDeliveries(deps, finished, next)
    logChanges(logger, changes)
    noteOutcomes(delivering.targets, finished, circuit.failuresInRow)
    return settled
  }
  const settleEach = createSettleEach({ db, settle, logger, monotonic })

  return {
    canDeliver: delivering.sender !== undefined,
    maxDeadlineMs: delivering.maxDeadlineMs,
    settle,
    settleEach: (finished, next = {}) => settleEach(finished, next),
    admit: (rows) => admitRows(delivering, rows),

    async deliver(event, now, { admitted = false } = {}) {
      try {
        const outcome = await deliverEvent(delivering, event, now, admitted)
        logAttempt(logger, event, outcome)
        return outcome
      } catch (error) {
        logger.error({ deliveryId: event.id, ...errorFields(error) }, 'delivery attempt failed unexpectedly')
        const delayMs = jittered(INTERNAL_ERROR_RETRY_MS, random)
        return { kind: 'reschedule', delayMs, deferral: false, error: INTERNAL_ERROR }
      }
    },

    async resumeHeld(options = {}) {
      checkNames('engine.worker.resumeHeld', RESUME_HELD_OPTIONS, options)
      checkResumeHeldOptions(options)
      const { unpaused, ...result } = await resumeHeld(db, { openMs: circuit.openMs, random }, options)
      for (const endpointId of unpaused) logger.info({ endpointId }, 'endpoint resumed: its pause is over')
      return result
    },

    maintain: () => maintain(deps),
    checkKeys: () => keyCheck.begin(),
  }
}
