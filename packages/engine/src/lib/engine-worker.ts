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
import { type DeliverDeps, INTERNAL_ERROR, UNEXPECTED, deliverEvent } from './delivery/deliver.ts'
import { unlessExpired } from './delivery/expiry.ts'
import { logAttempt, logChanges } from './delivery/delivery-log.ts'
import {
  SETTLE_NEXT_OPTIONS,
  type SettleDeps,
  type SettleNext,
  noteOutcomes,
  settleDeliveries,
} from './delivery/settle-deliveries.ts'
import { createSettleEach } from './delivery/settle-each.ts'
import type { SettleEachResult } from './delivery/settled-delivery.ts'
import { checkNames } from './errors.ts'
import {
  type Lifecycle,
  type LifecycleEvents,
  type NotedClaim,
  noteClaim,
  tellAttempt,
  tellResumed,
  tellSettled,
} from './lifecycle.ts'
import { errorFields } from './logger.ts'
import { type MaintenanceDeps, type MaintenanceResult, createMaintenance } from './maintenance.ts'
import { recordSuperseded } from './history/record-superseded.ts'
import { type StepErasuresOptions, type StepErasuresResult, stepErasures } from './erasures/step-erasures.ts'
import { type StepDeps, type StepReplaysOptions, type StepReplaysResult, stepReplays } from './replays/step-replays.ts'
import { jittered } from './retry-schedule.ts'
import type { KeyCheck } from './secrets/key-check.ts'

/** The part of an engine that delivers. A poller, a queue consumer or a cron calls it; a host does not. */
export interface EngineWorker {
  /** Whether the engine has a sender. An engine without one publishes, and another process delivers. */
  readonly canDeliver: boolean
  /** The longest that one attempt may take, all its steps included, in ms: a lease must be longer. */
  readonly maxDeadlineMs: number
  /**
   * Makes one attempt. `now` is the database's time, ms since the epoch. Never rejects: a defect of Keepsend is an outcome
   * too. Under a rate limit it waits for its slot time, unless the row is `admitted`: it has waited already.
   */
  deliver(event: TakenEvent, now: number, options?: { admitted?: boolean | undefined }): Promise<DeliveryOutcome>
  /** Records the outcomes of attempts and takes the next claim in the same commit. Rejects if any of it was refused. */
  settle(finished: readonly FinishedDelivery[], next?: SettleNext): Promise<SettleResult>
  /**
   * Settles as {@link EngineWorker.settle} does, retries row by row if the database refuses the group, and returns a result
   * for each outcome. Rejects only if there was nothing to settle, or for an invalid option.
   */
  settleEach<F extends FinishedDelivery>(finished: readonly F[], next?: SettleNext): Promise<SettleEachResult<F>>
  /** Resumes held rows of endpoints whose `resume_at` has come. For the timer of a poller, or a cron. */
  resumeHeld(options?: ResumeHeldOptions): Promise<ResumeHeldResult>
  /** Makes steps of each erasure that is due: see docs/erasure.md. A poller calls it when one is due, a cron at its tick. */
  stepErasures(options?: StepErasuresOptions): Promise<StepErasuresResult>
  /**
   * Makes a step of each replay job that is due: holds deliveries that are to be sent again, for {@link EngineWorker.resumeHeld}
   * to resume. For the timer of a poller, or a cron. An error of a step is logged, and the step is repeated.
   */
  stepReplays(options?: StepReplaysOptions): Promise<StepReplaysResult>
  /** Reads how many concurrent attempts the endpoints of claimed rows allow, and takes a slot time for each rate-limited row. */
  admit(rows: readonly Pick<TakenEvent, 'id' | 'endpointId'>[]): Promise<Admission>
  /**
   * Checks that `secrets` has the keys that this database was encrypted with: decrypts a known text under each key that was
   * ever the first, and stores one for the current first key. The adapters call it at the start; `GET /health` checks too. If
   * the database does not answer, that is logged and the call resolves.
   *
   * @throws {EngineError} `secret_unreadable`, naming the key that is missing or differs
   */
  checkKeys(): Promise<void>
  /** Logs what a claim or a sweep of an adapter took, and tells it to the listeners. Call it once for each result. */
  noteClaim(claimed: NotedClaim): void
  /** Tells the listeners what a sweep did. */
  noteSweep(swept: LifecycleEvents['swept']): void
  /** Runs one bounded round of maintenance: expires rows that are too old, deletes rows past their retention. */
  maintain(): Promise<MaintenanceResult>
}

export interface WorkerDeps extends MaintenanceDeps, SettleDeps {
  db: OutboxDatabase
  delivering: DeliverDeps
  keyCheck: KeyCheck
  /** How replay jobs find deliveries. */
  deliveries: StepDeps['deliveries']
  versions: StepDeps['versions']
  lifecycle: Lifecycle
  monotonic: () => number
}

// Delay after a defect of Keepsend: nothing says when the receiver could take the delivery.
const INTERNAL_ERROR_RETRY_MS = 60_000

export function createEngineWorker(deps: WorkerDeps): EngineWorker {
  const { db, logger, random, circuit, delivering, keyCheck, lifecycle, heartbeat, monotonic } = deps

  const settle: EngineWorker['settle'] = async (finished, next = {}) => {
    checkNames('engine.worker.settle', SETTLE_NEXT_OPTIONS, next)
    const { changes, ...settled } = await settleDeliveries(deps, finished, next)
    if (settled.lost.length > 0) await recordSuperseded(deps, finished, settled.lost)
    logChanges(logger, changes)
    noteOutcomes(delivering.endpointCache, finished, circuit.failuresInRow)
    heartbeat?.settled(finished.length - settled.lost.length)
    tellSettled(lifecycle, finished, settled.lost)
    for (const change of changes) lifecycle.emit('endpoint', change)
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
        const outcome = unlessExpired(await deliverEvent(delivering, event, { now, admitted }), event, now)
        logAttempt(logger, event, outcome)
        tellAttempt(lifecycle, event, outcome)
        return outcome
      } catch (error) {
        logger.error({ deliveryId: event.id, ...errorFields(error) }, UNEXPECTED)
        const delayMs = jittered(INTERNAL_ERROR_RETRY_MS, random)
        return { kind: 'reschedule', delayMs, deferral: false, error: INTERNAL_ERROR }
      }
    },

    async resumeHeld(options = {}) {
      checkNames('engine.worker.resumeHeld', RESUME_HELD_OPTIONS, options)
      checkResumeHeldOptions(options)
      const { unpaused, ...result } = await resumeHeld(db, { openMs: circuit.openMs, random }, options)
      for (const endpointId of unpaused) logger.info({ endpointId }, 'endpoint resumed: its pause has ended')
      tellResumed(lifecycle, result.resumed)
      return result
    },

    stepErasures: (options = {}) => stepErasures(deps, options),

    stepReplays: (options = {}) =>
      stepReplays({ ...deps, forget: (endpointId) => delivering.endpointCache.forget(endpointId) }, options),

    noteClaim(claimed) {
      heartbeat?.claimed(claimed.claims?.length ?? 0)
      noteClaim(deps, claimed)
    },
    noteSweep: (swept) => lifecycle.emit('swept', swept),
    maintain: createMaintenance(deps),
    checkKeys: () => keyCheck.begin(),
  }
}
