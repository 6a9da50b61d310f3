import type { EndpointSnapshot } from '../endpoints/endpoint-cache.ts'
import { isFailing } from '../health/circuit-breaker.ts'

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
  heldBack: boolean
  /** Whether each settle of the endpoint may resume held rows: it has some, and neither an open circuit nor a rate limit. */
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
