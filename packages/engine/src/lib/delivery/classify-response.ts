import type { AttemptFacts, DeliveryOutcome } from '../outcome.ts'
import type { TakenEvent } from '@keepsend/outbox'
import type { DeliveryError } from '../error-classes.ts'
import type { Redact } from '../formats/redactor.ts'
import { parseRetryAfter, pauseDelayMs, retryDelayMs } from '../retry-schedule.ts'
import type { SendResult } from '../sender.ts'

/** How many times one delivery is deferred without an attempt being counted. */
export const MAX_FREE_DEFERRALS = 20

// 421: the connection was for another host; the sender has already tried a new one.
const RETRYABLE_4XX = new Set([408, 421, 425])

// The receiver is overloaded, or a proxy in front of it timed out.
const SLOW_DOWN = new Set([502, 503, 504])

export interface ResponseContext {
  event: Pick<TakenEvent, 'attempts' | 'maxAttempts' | 'claimedAt'>
  endpoint: { id: string; version: number; retrySchedule: readonly number[]; retryStatuses: readonly number[] }
  /** The longest pause that an answer can request, in ms. */
  maxPauseMs: number
  /** The database's time, for a `Retry-After` that is a date. */
  now: number
  random: () => number
  /** Removes the secrets of the request, which the error text must not repeat. */
  redact?: Redact | undefined
}

/** Classifies the result of one attempt. Only 2xx is a success; a redirect is a failure like any other and was not followed. */
export function classifyResponse(result: SendResult, context: ResponseContext): DeliveryOutcome {
  if (result.kind === 'error') return rescheduleOrFail(context, `${result.reason}: ${result.message}`, result.status)
  const { status } = result
  const { id, version, retryStatuses } = context.endpoint
  const command = result.header('webhook-delivery')?.trim().toLowerCase()
  const succeeded = isSuccess(status)
  if (succeeded && command !== 'disable') return { kind: 'complete', httpStatus: status }

  const error = describe(result, context.redact)
  if (status === 410 || command === 'disable') {
    const reason = status === 410 ? 'gone' : 'receiver_requested'
    return { kind: 'disable_endpoint', reason, endpointId: id, endpointVersion: version, error, httpStatus: status }
  }
  if (command === 'abort-message') return { kind: 'fail', error, httpStatus: status }

  const retryAfterMs = parseRetryAfter(result.header('retry-after'), context.now)
  if (status === 429 || (status === 503 && retryAfterMs !== undefined)) {
    const pauseMs = pauseDelayMs(context.endpoint.retrySchedule, { ...context, retryAfterMs })
    return { kind: 'hold', reason: 'endpoint_paused', requestedPause: { pauseMs, error, httpStatus: status } }
  }
  // A receiver that sends `Retry-After` wants a retry, whatever the status.
  const isRetried = RETRYABLE_4XX.has(status) || retryStatuses.includes(status) || retryAfterMs !== undefined
  if (status >= 400 && status <= 499 && !isRetried) return { kind: 'fail', error, httpStatus: status }
  return rescheduleOrFail(context, error, status, retryAfterMs)
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299
}

/** Whether the receiver can take its present load: see {@link AttemptFacts.pushback}. */
export function pushbackOf(result: SendResult, outcome: DeliveryOutcome): AttemptFacts['pushback'] {
  if (outcome.kind === 'hold') return 'paused'
  const isSlow = result.kind === 'error' ? result.reason === 'timeout' : SLOW_DOWN.has(result.status)
  return isSlow ? 'slow' : 'none'
}

/** Reschedules a failed attempt if attempts are left, else fails the delivery. */
export function rescheduleOrFail(
  context: ResponseContext,
  error: DeliveryError,
  httpStatus?: number,
  retryAfterMs?: number,
): DeliveryOutcome {
  const attempt = attemptNumber(context.event)
  const status = httpStatus === undefined ? {} : { httpStatus }
  if (attempt >= context.event.maxAttempts) return { kind: 'fail', error, ...status }
  const delayMs = retryDelayMs(context.endpoint.retrySchedule, attempt, { retryAfterMs, random: context.random })
  return { kind: 'reschedule', delayMs, deferral: false, error, ...status }
}

/**
 * The number of the attempt that is being made, 1 for the first. A claim has counted it already; a message of a push queue
 * counts it only at the settle.
 */
export function attemptNumber({ attempts, claimedAt }: Pick<TakenEvent, 'attempts' | 'claimedAt'>): number {
  return claimedAt === null ? attempts + 1 : attempts
}

const SHOWN_BYTES = 300

function describe({ body, status }: Extract<SendResult, { kind: 'response' }>, redact?: Redact): DeliveryError {
  // With secrets to remove, the whole body is decoded: a secret that crosses the 300-byte limit must still be found.
  const whole = new TextDecoder().decode(redact ? body : body.subarray(0, SHOWN_BYTES))
  const text = (redact ? redact(whole) : whole).slice(0, SHOWN_BYTES).trim()
  return text === '' ? `HTTP ${status}` : `HTTP ${status}: ${text}`
}
