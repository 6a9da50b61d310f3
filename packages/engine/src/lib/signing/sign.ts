import type { Signer, SigningKey } from './signer.ts'
import type { OptionNames } from '@keepsend/outbox/internal'
import { fromBase64, toBase64, toHex, utf8 } from '../formats/encoding.ts'
import { fromCompatSecret } from './compat-signature.ts'
import { EngineError, checkNames } from '../errors.ts'
import { privateKeyOf } from './sign-v1a.ts'
import { type ImportedKey, importHmacKey, signWith } from './web-crypto.ts'

const PREFIX = 'whsec_'

/** A new endpoint secret: `whsec_` and the base64 of 32 random bytes (Standard Webhooks: 24 to 64). */
export function newSecret(): string {
  return PREFIX + toBase64(crypto.getRandomValues(new Uint8Array(32)))
}

/** The key inside a `whsec_` secret. @throws {EngineError} `invalid_endpoint` unless it is 24 to 64 bytes of base64 */
export function decodeSecret(secret: string): Uint8Array<ArrayBuffer> {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : undefined
  const bytes = text === undefined ? undefined : fromBase64(text)
  if (bytes && bytes.length >= 24 && bytes.length <= 64) return bytes
  throw new EngineError('invalid_endpoint', 'a secret must be whsec_ and the base64 of 24 to 64 bytes')
}

/** The key inside any stored secret. @throws {EngineError} `invalid_endpoint` for a text that is not a secret */
export function signingKey(secret: string): SigningKey {
  if (secret.startsWith('whsk_')) return { algorithm: 'Ed25519', pkcs8: privateKeyOf(secret) }
  if (secret.startsWith('compat_')) return { algorithm: 'HMAC', key: utf8(fromCompatSecret(secret)) }
  return { algorithm: 'HMAC', key: decodeSecret(secret) }
}

/**
 * The three headers of Standard Webhooks for one attempt: the same `webhook-id` on every attempt, a fresh
 * `webhook-timestamp`, and one signature over `id.timestamp.body` for each active secret: `v1`, or `v1a` for a `whsk_`.
 */
export async function signatureHeaders(
  sign: Signer,
  secrets: readonly string[],
  message: { id: string; timestampSeconds: number; body: string },
): Promise<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  const content = `${message.id}.${message.timestampSeconds}.${message.body}`
  let signature = ''
  for (const secret of secrets) {
    const signed = sign(secret, content)
    const scheme = secret.startsWith('whsk_') ? 'v1a' : 'v1'
    signature += `${signature === '' ? '' : ' '}${scheme},${typeof signed === 'string' ? signed : await signed}`
  }
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestampSeconds),
    'webhook-signature': signature,
  }
}

/** Signs with WebCrypto, on every platform; caches up to `maxKeys` imported keys. */
export function createWebCryptoSigner(options: { maxKeys?: number | undefined } = {}): Signer {
  checkNames('createWebCryptoSigner', SIGNER_OPTIONS, options)
  const { maxKeys = 1000 } = options
  const keys = new Map<string, Promise<ImportedKey>>()
  return async (secret, content) => {
    let key = keys.get(secret)
    if (!key) {
      if (keys.size >= maxKeys) keys.delete(keys.keys().next().value ?? secret)
      key = importKey(secret)
      keys.set(secret, key)
    }
    return toBase64(await signWith(await key, content))
  }
}

export const SIGNER_OPTIONS = { maxKeys: 'number' } satisfies OptionNames<Parameters<typeof createWebCryptoSigner>[0]>

function importKey(secret: string): Promise<ImportedKey> {
  const signing = signingKey(secret)
  return signing.algorithm === 'Ed25519'
    ? crypto.subtle.importKey('pkcs8', signing.pkcs8, 'Ed25519', false, ['sign'])
    : importHmacKey(signing.key)
}

/** SHA-256 in lower-case hex. */
export async function sha256Hex(content: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = typeof content === 'string' ? utf8(content) : content
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
