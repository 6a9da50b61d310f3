import type { ClaimRef, TakenEvent } from '@keepsend/outbox'
import type { SendTiming } from './sender.ts'
import type { DeliveryError } from './error-classes.ts'

/** Facts about an attempt and its endpoint, for the endpoint's health and for a fair scheduler. */
export interface AttemptFacts {
  endpointId: string
  /** The endpoint's version that the attempt read: the outcome changes the health of this version only. */
  endpointVersion: number
  /** Duration of the exchange with the receiver and the token server, in ms, without the sender's own waits. */
  tookMs: number
  /** Whether it ended at its deadline, without an answer. */
  timedOut: boolean
  /**
   * Whether the receiver can take its present load:
   *
   * - `paused`: 429, or 503 with `Retry-After`. The endpoint is paused; afterwards it gets one attempt at a time, then more.
   * - `slow`: 502, 503, 504 or a time-out. It gets fewer concurrent attempts.
   * - `none`: any other outcome.
   */
  pushback: 'none' | 'slow' | 'paused'
  /** Whether the endpoint has failures that a success would reset. */
  failing: boolean
  circuitOpen: boolean
  /** Whether it was the probe of an open circuit. */
  probe: boolean
  failingSince: number | null
  /** The database's time of the attempt. */
  at: number
  /** Whether the endpoint has held rows and a time at which they resume. */
  hasHeldRows: boolean
  /** Whether a settle may resume held rows of the endpoint: it has some, its circuit is closed, and it has no rate limit. */
  mayRefill: boolean
}

/** An attempt as history records it, beside its outcome. */
export interface AttemptRecord {
  /** The database's time of its beginning, on Workers the Worker's, ms since the epoch. */
  startedAt: number
  /** In ms, with fractions. */
  tookMs: number
  /** Where the request was sent, without the query, which may contain a secret. */
  url: string
  /** The response; absent if there was none. */
  response?: RecordedResponse | undefined
}

/** The part of a response that is recorded. */
export interface RecordedResponse {
  timing?: SendTiming | undefined
  headers?: Readonly<Record<string, string>> | undefined
  body?: string | undefined
}

/** The outcome of an attempt for its delivery. `deliverEvent` returns it, `settleDeliveries` writes it. */
export type DeliveryOutcome = Classification & {
  /** Facts for the endpoint's health; absent if no attempt was made. */
  attempt?: AttemptFacts
  /** For the history; absent without `history`, and if no attempt was made. */
  record?: AttemptRecord | undefined
}

type Classification =
  | { kind: 'complete'; httpStatus: number }
  /** Another attempt after `delayMs`. A `deferral` does not count as an attempt: the cause is not the receiver. */
  | { kind: 'reschedule'; delayMs: number; deferral: boolean; error: DeliveryError; httpStatus?: number }
  /** No attempt will follow. `endsAs` is the error of the delivery, where that is not the error of the attempt. */
  | { kind: 'fail'; error: DeliveryError; httpStatus?: number; endsAs?: DeliveryError }
  /**
   * The receiver wants no more deliveries: it answered 410 (`gone`), or `webhook-delivery: disable` (`receiver_requested`). The
   * endpoint is disabled if it still has this version. The delivery is complete if the status is 2xx, and fails otherwise.
   */
  | {
      kind: 'disable_endpoint'
      reason: 'gone' | 'receiver_requested'
      endpointId: string
      endpointVersion: number
      error: DeliveryError
      httpStatus: number
    }
  /**
   * The endpoint accepts no attempt now; `resumeInMs` says when it may, if that is known. No attempt was made, or one that does
   * not count: the receiver asked for a wait, and `requestedPause` pauses its endpoint.
   */
  | {
      kind: 'hold'
      reason: HoldReason
      resumeInMs?: number | undefined
      requestedPause?: { pauseMs: number; error: DeliveryError; httpStatus: number }
    }
  /** The worker had no slot to begin; no attempt was made. The claim is undone and the delivery is due again. */
  | { kind: 'release' }
  /** The event does not match the filter that its endpoint had: no attempt is made, and the row is deleted, uncounted. */
  | { kind: 'filtered' }

/** The outcome of an attempt, with the claim under which the attempt was made. */
export interface FinishedDelivery {
  claim: ClaimRef | TakenEvent
  outcome: DeliveryOutcome
}

/** A change of an endpoint's state by a settle. */
export type EndpointChange = { endpointId: string } & (
  | { change: 'circuit opened'; probeInMs: number }
  | { change: 'circuit closed' }
  | { change: 'failing'; percent: number }
  | { change: 'disabled'; reason: 'failing' | 'gone' | 'receiver_requested' }
  | { change: 'paused'; pauseMs: number }
)

/** Why a row is held: see `HOLD_REASONS`. */
export type HoldReason = 'endpoint_disabled' | 'endpoint_paused' | 'circuit_open' | 'rate_limited' | 'replay'
