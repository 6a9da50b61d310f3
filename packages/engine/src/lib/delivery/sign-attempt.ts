import type { TakenEvent } from '@keepsend/outbox'
import { eventIdOf } from '@keepsend/outbox/internal'
import { compatSignature } from '../signing/compat-signature.ts'
import { EngineError } from '../errors.ts'
import { signatureHeaders } from '../signing/sign.ts'
import type { Signer } from '../signing/signer.ts'
import type { EndpointSnapshot } from '../endpoints/endpoint-cache.ts'

/**
 * The headers that sign one attempt with every secret that is active at `now`. If one of them cannot be read, none is used: a
 * receiver that verifies with that one would answer 4xx, and the delivery would fail for good.
 *
 * @throws {EngineError} `secret_unreadable`
 */
export async function signAttempt(
  sign: Signer,
  { id, endpointId, payload: body }: TakenEvent,
  { secrets, compatHeader, compatFormat }: EndpointSnapshot,
  now: number,
): Promise<Record<string, string>> {
  const standard: string[] = []
  const compat: string[] = []
  for (const { scheme, secret, expiresAt } of secrets) {
    if (expiresAt !== null && expiresAt <= now) continue
    const list = scheme === 'compat' ? compat : standard
    list.push(typeof secret === 'string' ? secret : await secret)
  }
  if (standard.length === 0) {
    throw new EngineError('secret_unreadable', `the endpoint ${endpointId} has no secret to sign with`)
  }
  const message = { id: eventIdOf(id), timestampSeconds: Math.floor(now / 1000), body }
  const signature = await signatureHeaders(sign, standard, message)
  if (compatHeader === null || compat.length === 0) return signature
  return { ...signature, [compatHeader]: await compatSignature(sign, compat, message, compatFormat) }
}
