import type { DeliveryOutcome, EndpointChange } from '../outcome.ts'
import type { TakenEvent } from '@keepsend/outbox'
import { type ErrorClass, classOf } from '../error-classes.ts'
import type { Logger } from '../logger.ts'
import { attemptNumber } from './classify-response.ts'

// Of ours, and logged with the cause where they were found.
const LOGGED: ReadonlySet<unknown> = new Set<ErrorClass>([
  'internal_error',
  'endpoint_lookup_failed',
  'secret_unreadable',
])

/**
 * A line for an attempt that did not succeed. Of what the receiver said only the status is in it. One that succeeded costs
 * nothing; what was not sent for a fault of ours has a line already, with its cause.
 */
export function logAttempt(logger: Logger, event: TakenEvent, outcome: DeliveryOutcome): void {
  switch (outcome.kind) {
    case 'complete':
    case 'release':
      return
    case 'reschedule': {
      if (outcome.deferral || LOGGED.has(classOf(outcome.error))) return
      const fields = { ...attemptOf(event, outcome), nextTryInMs: outcome.delayMs }
      return logger.warn(fields, 'attempt failed; the delivery is tried again')
    }
    case 'fail':
      return logger.warn(attemptOf(event, outcome), 'attempt failed; the delivery has failed for good')
    case 'disable_endpoint':
      return logger.warn(attemptOf(event, outcome), 'the receiver wants no more deliveries')
    case 'hold': {
      const { asked, reason } = outcome
      if (asked) {
        const fields = { ...attemptOf(event, asked), pauseMs: asked.pauseMs }
        return logger.warn(fields, 'the receiver asked for a wait; the attempt does not count')
      }
      return logger.debug?.({ ...idsOf(event), reason, resumeInMs: outcome.resumeInMs }, 'delivery held')
    }
  }
}

const TOKEN_SERVER_SAID = /^(auth: the token server answered [^:]*):.*$/s

function attemptOf(
  event: TakenEvent,
  { error, httpStatus }: { error: string; httpStatus?: number },
): Record<string, unknown> {
  // The text of an exchange without an answer is ours, but for what a token server said.
  const of = httpStatus === undefined ? { error: error.replace(TOKEN_SERVER_SAID, '$1') } : { httpStatus }
  return {
    ...idsOf(event),
    errorClass: classOf(error, httpStatus),
    ...of,
    attempt: attemptNumber(event),
    maxAttempts: event.maxAttempts,
  }
}

function idsOf({ id, endpointId, workspaceId, type }: TakenEvent): Record<string, unknown> {
  return { deliveryId: id, endpointId, workspaceId, type }
}

/** A line for each change. */
export function logChanges(logger: Logger, changes: readonly EndpointChange[]): void {
  for (const { change, ...fields } of changes) {
    switch (change) {
      case 'circuit opened':
        logger.warn(fields, 'circuit opened: the endpoint fails, and its deliveries are held')
        break
      case 'circuit closed':
        logger.info(fields, 'circuit closed: the endpoint answers again, and what was held is sent')
        break
      case 'failing':
        logger.warn(fields, 'the endpoint goes on failing; at 100 percent it is disabled')
        break
      case 'disabled':
        logger.warn(fields, 'endpoint disabled; its deliveries are held until somebody enables it')
        break
      case 'paused':
        logger.warn(fields, 'endpoint paused, as its receiver asked; its deliveries are held')
        break
    }
  }
}
