import type { DeliveryOutcome, EndpointChange } from '../outcome.ts'
import type { TakenEvent } from '@keepsend/outbox'
import { type ErrorClass, classOf } from '../error-classes.ts'
import type { Logger } from '../logger.ts'
import { attemptNumber } from './classify-response.ts'

// Faults of the sender's side: they were logged with their cause where they happened.
const ALREADY_LOGGED: ReadonlySet<unknown> = new Set<ErrorClass>([
  'internal_error',
  'endpoint_lookup_failed',
  'secret_unreadable',
])

/**
 * Logs an attempt that did not succeed. Of the receiver's answer the line has only the status. A success has no line, and a
 * fault of the sender's side has one already.
 */
export function logAttempt(logger: Logger, event: TakenEvent, outcome: DeliveryOutcome): void {
  switch (outcome.kind) {
    case 'complete':
    case 'release':
    case 'filtered':
      return
    case 'reschedule': {
      if (outcome.deferral || ALREADY_LOGGED.has(classOf(outcome.error))) return
      const fields = { ...attemptOf(event, outcome), nextTryInMs: outcome.delayMs }
      return logger.warn(fields, 'attempt failed; the delivery will be retried')
    }
    case 'fail':
      return logger.warn(attemptOf(event, outcome), 'attempt failed; the delivery is marked failed')
    case 'disable_endpoint':
      return logger.warn(attemptOf(event, outcome), 'receiver wants no more deliveries; disabling its endpoint')
    case 'hold': {
      const { requestedPause, reason } = outcome
      if (requestedPause) {
        const fields = { ...attemptOf(event, requestedPause), pauseMs: requestedPause.pauseMs }
        return logger.warn(fields, 'receiver asked for a pause; holding the delivery, the attempt does not count')
      }
      return logger.debug?.({ ...idsOf(event), reason, resumeInMs: outcome.resumeInMs }, 'delivery held')
    }
  }
}

const TOKEN_SERVER_ANSWER = /^(auth: the token server answered [^:]*):.*$/s

function attemptOf(
  event: TakenEvent,
  { error, httpStatus }: { error: string; httpStatus?: number },
): Record<string, unknown> {
  // Without an answer the error is Keepsend's own text, except the answer of a token server, which is removed.
  const cause = httpStatus === undefined ? { error: error.replace(TOKEN_SERVER_ANSWER, '$1') } : { httpStatus }
  return {
    ...idsOf(event),
    errorClass: classOf(error, httpStatus),
    ...cause,
    attempt: attemptNumber(event),
    maxAttempts: event.maxAttempts,
  }
}

function idsOf({ id, endpointId, workspaceId, type }: TakenEvent): Record<string, unknown> {
  return { deliveryId: id, endpointId, workspaceId, type }
}

const CHANGES = {
  'circuit opened': ['warn', 'circuit opened: the endpoint is failing; holding its deliveries until a probe succeeds'],
  'circuit closed': ['info', 'circuit closed: the endpoint has recovered; resuming its held deliveries'],
  failing: ['warn', 'endpoint is still failing; it will be disabled at 100 percent'],
  disabled: ['warn', 'endpoint disabled; holding its deliveries until a person enables it'],
  paused: ['warn', 'endpoint paused, as its receiver asked; holding its deliveries until the pause ends'],
} as const satisfies Record<EndpointChange['change'], readonly ['info' | 'warn', string]>

/** Logs each change on a line. */
export function logChanges(logger: Logger, changes: readonly EndpointChange[]): void {
  for (const { change, ...fields } of changes) {
    const [level, message] = CHANGES[change]
    logger[level](fields, message)
  }
}
