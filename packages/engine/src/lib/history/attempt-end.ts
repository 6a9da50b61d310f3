import { type SqlText, raw } from '@keepsend/outbox/internal'
import type { DeliveryOutcome } from '../outcome.ts'

/**
 * Delivered, to be retried, not counted because the receiver asked for a wait or nothing could be sent, or failed for good.
 * `superseded`: its worker had lost the lease, so the delivery does not have its outcome; counted nowhere.
 */
export const ATTEMPT_OUTCOMES = ['delivered', 'retry', 'deferred', 'failed', 'superseded'] as const

export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number]

/** `unsuccessful`: `retry`, `deferred` or `failed`. */
export const OUTCOME_FILTERS = [...ATTEMPT_OUTCOMES, 'unsuccessful'] as const

export type OutcomeFilter = (typeof OUTCOME_FILTERS)[number]

/**
 * Why an attempt was made: for a new event, again after a failure, for a replay, or for a test event. All attempts of a replay
 * and of a test have that reason, so that statistics count them apart.
 */
export const ATTEMPT_REASONS = ['publish', 'retry', 'replay', 'test'] as const

/** The type of the events that `publishTest` publishes. */
export const TEST_TYPE = 'test'

/** How an attempt ended. */
export interface AttemptEnd {
  outcome: Exclude<AttemptOutcome, 'superseded'>
  httpStatus: number | undefined
  error: string | undefined
}

/** How the attempt of an outcome ended; undefined where no attempt was made. */
export function attemptEnd(outcome: DeliveryOutcome): AttemptEnd | undefined {
  switch (outcome.kind) {
    case 'complete':
      return { outcome: 'delivered', httpStatus: outcome.httpStatus, error: undefined }
    case 'reschedule':
      return {
        outcome: outcome.deferral ? 'deferred' : 'retry',
        httpStatus: outcome.httpStatus,
        error: outcome.error,
      }
    case 'fail':
      return { outcome: 'failed', httpStatus: outcome.httpStatus, error: outcome.error }
    case 'disable_endpoint': {
      const { httpStatus, error } = outcome
      const succeeded = httpStatus >= 200 && httpStatus <= 299
      return { outcome: succeeded ? 'delivered' : 'failed', httpStatus, error: succeeded ? undefined : error }
    }
    case 'hold': {
      const { requestedPause } = outcome
      return (
        requestedPause && {
          outcome: 'deferred',
          httpStatus: requestedPause.httpStatus,
          error: requestedPause.error,
        }
      )
    }
    case 'release':
    case 'filtered':
      return undefined
  }
}

/** The condition of the partial indexes of failures, on a table under this alias. */
export function hasFailed(alias: string): SqlText {
  return raw(`${alias}.outcome <> 'delivered' and ${alias}.outcome <> 'superseded'`)
}
