import type { TakenEvent } from '@keepsend/outbox'
import type { EndpointSnapshot } from '../endpoints/endpoint-cache.ts'
import type { AttemptCredentials } from './attempt-credentials.ts'
import type { Signer } from '../signing/signer.ts'
import { signAttempt } from './sign-attempt.ts'

interface Attempted {
  endpoint: EndpointSnapshot
  credentials: AttemptCredentials
  at: number
  isTest: boolean
}

/** Receivers tell a test by it, whose event may have any type. */
const TEST_HEADER = { 'webhook-test': 'true' }

/** All headers of an attempt. @throws {EngineError} `secret_unreadable` */
export async function attemptHeaders(
  { sign, userAgent }: { sign: Signer; userAgent: string },
  event: TakenEvent,
  { endpoint, credentials, at, isTest }: Attempted,
): Promise<Record<string, string>> {
  const signature = await signAttempt(sign, event, endpoint, at + credentials.tookMs)
  const { eventTypeHeader } = endpoint
  const own = endpoint.headers instanceof Promise ? await endpoint.headers : endpoint.headers
  const contentType = event.contentType ?? 'application/json'
  // Keepsend's headers come last, so that an endpoint cannot override them. `accept`: some firewalls refuse requests without.
  const headers = {
    accept: '*/*',
    ...own,
    'content-type': contentType,
    'user-agent': userAgent,
    ...signature,
    ...(event.version !== null && { 'webhook-version': event.version }),
    ...(isTest && TEST_HEADER),
    ...credentials.headers,
  }
  return eventTypeHeader === null ? headers : { ...headers, [eventTypeHeader]: event.type }
}
