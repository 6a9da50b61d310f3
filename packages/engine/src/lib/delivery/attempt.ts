import type { AttemptFacts } from '../outcome.ts'
import type { EndpointSnapshot } from '../endpoints/endpoint-cache.ts'
import { isFailing } from '../health/circuit-breaker.ts'

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
    hasHeldRows: resumeAt !== null,
    mayRefill: resumeAt !== null && !circuitOpen && rateLimit === null,
  }
}
