import type { EndpointSnapshot } from '../endpoints/endpoint-cache.ts'
import { isFailing } from '../health/circuit-breaker.ts'

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

export function attemptFacts(
  { id, version, health, rateLimit, resumeAt }: EndpointSnapshot,
  { deliveryId, at, windowMs }: { deliveryId: string; at: number; windowMs: number },
): AttemptFacts {
  const circuitOpen = health.circuit === 'open'
  return {
    endpointId: id,
    endpointVersion: version,
    tookMs: 0,
    timedOut: false,
    pushback: 'none',
    failing: isFailing(health, at, windowMs),
    circuitOpen,
    probe: health.probeId === deliveryId,
    failingSince: health.failingSince,
    at,
    heldBack: resumeAt !== null,
    makesRoom: resumeAt !== null && !circuitOpen && rateLimit === null,
  }
}
