import type { TakenEvent } from '@keepsend/outbox'
import type { DeliveryError } from '../error-classes.ts'
import type { DeliveryOutcome } from '../outcome.ts'
import { jittered } from '../retry-schedule.ts'
import { MAX_FREE_DEFERRALS, type ResponseContext, rescheduleOrFail } from './classify-response.ts'

/** An attempt that sent nothing, which is no fault of the receiver. */
interface Unsent {
  delayMs: number
  error: DeliveryError
}

export const LOOKUP_FAILED: Unsent = {
  delayMs: 5000,
  error: 'endpoint_lookup_failed: the database did not answer; nothing was sent',
}
export const SECRET_UNREADABLE: Unsent = {
  delayMs: 60_000,
  error: 'secret_unreadable: a secret of the endpoint could not be read; nothing was sent',
}

export const CONVERSION_FAILED: Unsent = {
  delayMs: 60_000,
  error: 'conversion_failed: the event could not be converted to the version of the endpoint; nothing was sent',
}

/** Nothing was sent, so it does not count as an attempt: the first {@link MAX_FREE_DEFERRALS} times. */
export function deferred(
  { deferrals }: TakenEvent,
  { delayMs, error }: Unsent,
  random: () => number,
): DeliveryOutcome & { kind: 'reschedule' } {
  return { kind: 'reschedule', deferral: deferrals < MAX_FREE_DEFERRALS, delayMs: jittered(delayMs, random), error }
}

/** The same for an error that may stay: once it counts, the delivery may fail. */
export function unsentOrFailed(event: TakenEvent, context: ResponseContext, why: Unsent): DeliveryOutcome {
  const unsent = deferred(event, why, context.random)
  return unsent.deferral ? unsent : rescheduleOrFail(context, why.error)
}
