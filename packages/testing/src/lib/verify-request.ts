import { createPublicKey, verify } from 'node:crypto'
import type { EndpointSecret } from '@keepsend/engine'
import { Webhook } from 'standardwebhooks'

// The tolerance of Standard Webhooks.
const TOLERANCE_MS = 300_000

/**
 * Whether a receiver with these secrets accepts the request: one of its signatures is of one of the secrets, and its timestamp
 * is within five minutes. `v1` is computed by the public library `standardwebhooks`. Its `verify` compares the timestamp with the
 * machine's clock, so the signature is compared here.
 *
 * @param now the receiver's time, ms since the epoch
 */
export function isVerified(
  { headers, body }: { headers: Readonly<Record<string, string>>; body: string },
  secrets: readonly Pick<EndpointSecret, 'scheme' | 'secret'>[],
  now: number,
): boolean {
  const id = headers['webhook-id'] ?? ''
  const timestamp = headers['webhook-timestamp'] ?? ''
  if (!(Math.abs(now - Number(timestamp) * 1000) <= TOLERANCE_MS)) return false
  const signatures = (headers['webhook-signature'] ?? '').split(' ')
  return secrets.some(({ scheme, secret }) => {
    switch (scheme) {
      case 'v1':
        return signatures.includes(new Webhook(secret).sign(id, new Date(Number(timestamp) * 1000), body))
      case 'v1a':
        return signatures.some((one) => isOfKey(one, secret, `${id}.${timestamp}.${body}`))
      case 'compat':
        return false
    }
  })
}

function isOfKey(signature: string, publicKey: string, content: string): boolean {
  if (!signature.startsWith('v1a,')) return false
  const x = Buffer.from(publicKey.slice('whpk_'.length), 'base64').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return verify(null, Buffer.from(content), key, Buffer.from(signature.slice('v1a,'.length), 'base64'))
}
