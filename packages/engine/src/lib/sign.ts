import { EngineError } from './errors.ts'

/** HMAC-SHA256 of the content under a `whsec_` secret, in base64. */
export type Signer = (secret: string, content: string) => string | Promise<string>

const PREFIX = 'whsec_'
const encoder = new TextEncoder()

/** A new endpoint secret: `whsec_` and the base64 of 32 random bytes (Standard Webhooks: 24 to 64). */
export function newSecret(): string {
  return PREFIX + toBase64(crypto.getRandomValues(new Uint8Array(32)))
}

/** The key inside a `whsec_` secret. Throws `invalid_endpoint` unless it is 24 to 64 bytes of base64. */
export function secretKey(secret: string): Uint8Array<ArrayBuffer> {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : undefined
  if (text !== undefined && /^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    const bytes = fromBase64(text)
    if (bytes && bytes.length >= 24 && bytes.length <= 64) return bytes
  }
  throw new EngineError('invalid_endpoint', 'a secret must be whsec_ and the base64 of 24 to 64 bytes')
}

/**
 * The three headers of Standard Webhooks for one attempt: the same `webhook-id` on every attempt, a fresh
 * `webhook-timestamp`, and one `v1` signature over `id.timestamp.body` for each active secret.
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
    signature += `${signature === '' ? '' : ' '}v1,${typeof signed === 'string' ? signed : await signed}`
  }
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestampSeconds),
    'webhook-signature': signature,
  }
}

/** Signs with WebCrypto, wherever that is; imported keys are kept, as many as `maxKeys`. */
export function createWebCryptoSigner(options: { maxKeys?: number } = {}): Signer {
  const { maxKeys = 1000 } = options
  const keys = new Map<string, ReturnType<typeof importKey>>()
  return async (secret, content) => {
    let key = keys.get(secret)
    if (!key) {
      if (keys.size >= maxKeys) keys.delete(keys.keys().next().value ?? secret)
      key = importKey(secret)
      keys.set(secret, key)
    }
    return toBase64(new Uint8Array(await crypto.subtle.sign('HMAC', await key, encoder.encode(content))))
  }
}

function importKey(secret: string) {
  return crypto.subtle.importKey('raw', secretKey(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
}

/** SHA-256 in lower-case hex. */
export async function sha256Hex(content: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = typeof content === 'string' ? encoder.encode(content) : content
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
