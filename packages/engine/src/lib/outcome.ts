import type { ClaimRef, TakenEvent } from '@keepsend/outbox'
import type { DeliveryError } from './error-classes.ts'
/** What is known of an attempt and its endpoint, for the endpoint's health and for fairness to the others. */
export interface AttemptFacts {
  endpointId: string
  /** As it was read for the attempt: a verdict on another version changes nothing. */
  endpointVersion: number
  /** The exchange with the receiver, in ms; no wait of ours is in it. */
  tookMs: number
  /** It ended at its deadline, without an answer. */
  timedOut: boolean
  /**
   * What the exchange says of the pace that the endpoint can take:
   *
   * - `paused`: 429, or 503 with `Retry-After`; the endpoint is paused. Afterwards one attempt at a time, then more.
   * - `slow`: 502, 503, 504 or a time-out. Fewer at a time.
   * - `none`: anything else.
   */
  pushback: 'none' | 'slow' | 'paused'
  /** The endpoint has failures that a success would undo. */
  failing: boolean
  circuitOpen: boolean
  /** It was the one attempt that an open circuit lets through. */
  probe: boolean
  failingSince: number | null
  /** The database's time of the attempt. */
  at: number
  /** Rows of the endpoint are held: it has a time to wake. */
  heldBack: boolean
  /** They are resumed as others settle. */
  makesRoom: boolean
}

/** What an attempt means for its delivery. `deliverEvent` returns it, `settleDeliveries` writes it. */
export type DeliveryOutcome = Classification & {
  /** What the attempt says of its endpoint; absent when none was made. */
  attempt?: AttemptFacts
}

type Classification =
  | { kind: 'complete'; httpStatus: number }
  /** Another attempt after `delayMs`; a `deferral` is a wait that is not the receiver's fault, and is not charged. */
  | { kind: 'reschedule'; delayMs: number; deferral: boolean; error: DeliveryError; httpStatus?: number }
  /** No attempt will follow. */
  | { kind: 'fail'; error: DeliveryError; httpStatus?: number }
  /**
   * The receiver wants nothing more: it answered 410 (`gone`), or `webhook-delivery: disable` (`receiver_requested`). The endpoint of
   * that version is disabled; the delivery is complete if the status is 2xx, and fails otherwise.
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
   * The endpoint takes nothing now; `resumeInMs` says when it may, where that is known. No attempt was made, or one was that
   * does not count: the receiver `asked` for a wait, and its endpoint is paused for it.
   */
  | {
      kind: 'hold'
      reason: HoldReason
      resumeInMs?: number | undefined
      asked?: { pauseMs: number; error: DeliveryError; httpStatus: number }
    }
  /** There was no room to begin; no attempt was made. The delivery goes back in line. */
  | { kind: 'release' }

/** An attempt that has ended, with the claim under which it was made. */
export interface FinishedDelivery {
  claim: ClaimRef | TakenEvent
  outcome: DeliveryOutcome
}

/** A change of an endpoint that came with a settle. */
export type EndpointChange = { endpointId: string } & (
  | { change: 'circuit opened'; probeInMs: number }
  | { change: 'circuit closed' }
  | { change: 'failing'; percent: number }
  | { change: 'disabled'; reason: 'failing' | 'gone' | 'receiver_requested' }
  | { change: 'paused'; pauseMs: number }
)

/** Why a row is held: see `HOLD_REASONS`. */
export type HoldReason = 'endpoint_disabled' | 'endpoint_paused' | 'circuit_open' | 'rate_limited' | 'replay'
