import type { PendingEvent } from '@keepsend/outbox'
import type { AttemptFacts } from './attempt.ts'
import type { HoldReason } from './hold-reason.ts'
import { parseRetryAfter, retryDelayMs } from './schedule.ts'
import type { SendResult } from './sender.ts'

/** What an attempt means for its delivery. `deliverEvent` returns it, `settleDeliveries` writes it. */
export type DeliveryOutcome = Verdict & {
  /** What the attempt says of its endpoint; absent when none was made. */
  attempt?: AttemptFacts
}

type Verdict =
  | { kind: 'delivered'; httpStatus: number }
  /** Another attempt after `delayMs`; a `deferral` is a wait the receiver asked for and is not charged. */
  | { kind: 'retry'; delayMs: number; deferral: boolean; error: string; httpStatus?: number }
  /** No attempt will follow. */
  | { kind: 'dead'; error: string; httpStatus?: number }
  /**
   * The receiver wants nothing more: it answered 410 (`gone`), or `webhook-delivery: disable` (`asked`). The endpoint of
   * that version is disabled; the delivery is complete if the status is 2xx, and fails otherwise.
   */
  | {
      kind: 'disable_endpoint'
      reason: 'gone' | 'asked'
      endpointId: string
      endpointVersion: number
      error: string
      httpStatus: number
    }
  /** The endpoint takes nothing now; no attempt was made. `resumeInMs`: when it may, where that is known. */
  | { kind: 'hold'; reason: HoldReason; resumeInMs?: number | undefined }

/** Waits a receiver may ask for without losing an attempt. */
export const UNCHARGED_DEFERRALS = 20

const RETRYABLE_4XX = new Set([408, 425, 429])

export interface VerdictContext {
  event: Pick<PendingEvent, 'attempts' | 'maxAttempts' | 'deferrals' | 'claimedAt'>
  endpoint: { id: string; version: number; retrySchedule: readonly number[]; retryStatuses: readonly number[] }
  /** The database's time, for a `Retry-After` that is a date. */
  now: number
  random: () => number
}

/** Judges one attempt. Only 2xx is a success; a redirect is a failure like any other and was not followed. */
export function judge(result: SendResult, context: VerdictContext): DeliveryOutcome {
  if (result.kind === 'error') return retryOrDead(context, `${result.reason}: ${result.message}`)
  const { status } = result
  const { id, version, retryStatuses } = context.endpoint
  const wish = result.header('webhook-delivery')?.trim().toLowerCase()
  const succeeded = status >= 200 && status <= 299
  if (succeeded && wish !== 'disable') return { kind: 'delivered', httpStatus: status }

  const error = describe(result)
  if (status === 410 || wish === 'disable') {
    const reason = status === 410 ? 'gone' : 'asked'
    return { kind: 'disable_endpoint', reason, endpointId: id, endpointVersion: version, error, httpStatus: status }
  }
  const terminal = status >= 400 && status <= 499 && !RETRYABLE_4XX.has(status) && !retryStatuses.includes(status)
  if (terminal || wish === 'abort-message') return { kind: 'dead', error, httpStatus: status }

  const retryAfterMs = parseRetryAfter(result.header('retry-after'), context.now)
  if (
    (status === 429 || status === 503) &&
    retryAfterMs !== undefined &&
    context.event.deferrals < UNCHARGED_DEFERRALS
  ) {
    const delayMs = retryDelayMs(context.endpoint.retrySchedule, attemptNumber(context.event), {
      ...context,
      retryAfterMs,
    })
    return { kind: 'retry', delayMs, deferral: true, error, httpStatus: status }
  }
  return retryOrDead(context, error, status, retryAfterMs)
}

/** Another attempt if one is left, else the end. */
export function retryOrDead(
  context: VerdictContext,
  error: string,
  httpStatus?: number,
  retryAfterMs?: number,
): DeliveryOutcome {
  const attempt = attemptNumber(context.event)
  const status = httpStatus === undefined ? {} : { httpStatus }
  if (attempt >= context.event.maxAttempts) return { kind: 'dead', error, ...status }
  const delayMs = retryDelayMs(context.endpoint.retrySchedule, attempt, { retryAfterMs, random: context.random })
  return { kind: 'retry', delayMs, deferral: false, error, ...status }
}

/**
 * The number of the attempt that is being made, 1 for the first: a claim has counted it already, a message that was only
 * begun counts it at its settle.
 */
export function attemptNumber({ attempts, claimedAt }: Pick<PendingEvent, 'attempts' | 'claimedAt'>): number {
  return claimedAt === null ? attempts + 1 : attempts
}

const SHOWN_BYTES = 300

function describe(result: Extract<SendResult, { kind: 'response' }>): string {
  const text = new TextDecoder().decode(result.body.subarray(0, SHOWN_BYTES)).trim()
  return text === '' ? `HTTP ${result.status}` : `HTTP ${result.status}: ${text}`
}
