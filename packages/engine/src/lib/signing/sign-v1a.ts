import { fromBase64, toBase64 } from '../formats/encoding.ts'
import { EngineError } from '../errors.ts'

// Standard Webhooks: a private key is whsk_ and the base64 of seed and public key, a public one whpk_ and base64.
const SECRET = 'whsk_'
const PUBLIC = 'whpk_'
const SEED_BYTES = 32
// RFC 8410: the bytes before the seed in PKCS #8, the format that Node and workerd import.
const PKCS8_HEAD = Uint8Array.from([48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32])

/** A new ed25519 key: `whsk_` and the base64 of its 32-byte seed and its public key. */
export function newSigningKey(): Promise<string> {
  return withPublicKey(crypto.getRandomValues(new Uint8Array(SEED_BYTES)))
}

/**
 * The stored form of a key, from `whsk_` and the base64 of a seed, with its public key behind it or without.
 *
 * @throws {EngineError} `invalid_endpoint` for any other text, and for a public key that is not the seed's
 */
export async function checkSigningKey(secret: string): Promise<string> {
  const given = bytesOf(secret)
  const whole = await withPublicKey(given.slice(0, SEED_BYTES))
  if (given.length > SEED_BYTES && toBase64(given) !== whole.slice(SECRET.length)) {
    throw new EngineError('invalid_endpoint', 'a whsk_ secret must end in the public key of its seed')
  }
  return whole
}

/** `whpk_` and the base64 of the public key in a stored `whsk_` secret: receivers verify with it. */
export function publicKeyOf(secret: string): string {
  return PUBLIC + toBase64(bytesOf(secret).slice(SEED_BYTES))
}

/** The private key in a `whsk_` secret, as PKCS #8. */
export function privateKeyOf(secret: string): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(PKCS8_HEAD.length + SEED_BYTES)
  key.set(PKCS8_HEAD)
  key.set(bytesOf(secret).subarray(0, SEED_BYTES), PKCS8_HEAD.length)
  return key
}

function bytesOf(secret: string): Uint8Array<ArrayBuffer> {
  const bytes = secret.startsWith(SECRET) ? fromBase64(secret.slice(SECRET.length)) : undefined
  if (bytes?.length === SEED_BYTES || bytes?.length === 2 * SEED_BYTES) return bytes
  throw new EngineError(
    'invalid_endpoint',
    'a secret of v1a must be whsk_ and the base64 of a 32-byte seed, with or without its public key behind it',
  )
}

// WebCrypto exports the public key of a private one only as a JWK.
async function withPublicKey(seed: Uint8Array): Promise<string> {
  const pkcs8 = privateKeyOf(SECRET + toBase64(seed))
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign'])
  const jwk = await crypto.subtle.exportKey('jwk', key)
  const x = ('x' in jwk && jwk.x) || ''
  const publicKey = fromBase64(`${x.replaceAll('-', '+').replaceAll('_', '/')}=`) ?? new Uint8Array()
  const whole = new Uint8Array(2 * SEED_BYTES)
  whole.set(seed)
  whole.set(publicKey, SEED_BYTES)
  return SECRET + toBase64(whole)
}
