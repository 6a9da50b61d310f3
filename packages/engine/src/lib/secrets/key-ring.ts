import { fromBase64, utf8 } from '../formats/encoding.ts'
import { EngineError } from '../errors.ts'
import type { SecretContext, SecretEncryption } from './secret-encryption.ts'
import type { ImportedKey } from '../signing/web-crypto.ts'

/** A key of a ring. */
export interface RingKey {
  /** 1 to 32 of `A-Z a-z 0-9 . _ -`. Never change it: rows name the key that they need. */
  id: string
  /** The base64 of 32 random bytes: `openssl rand -base64 32`. */
  key: string
}

const KEY_BYTES = 32
// Random 96-bit nonces are safe for 2^32 encryptions under a key: one rotation a second for 136 years.
const NONCE_BYTES = 12
const MAX_KEYS = 32
const HOW = 'make one with: echo "k1:$(openssl rand -base64 32)"'

/**
 * Encrypts secrets by AES-256-GCM with WebCrypto. The first key encrypts, every key decrypts. Workspace, endpoint, scheme,
 * version and key id are associated data.
 *
 * To change keys: append the new key and restart every process, then move it to the front and restart, run
 * `reencryptSecrets`, and remove the old key.
 *
 * @param keys the keys, or a text `id:base64` with commas between several keys, as an environment variable holds it
 * @throws {EngineError} `invalid_option`, which never repeats a key
 * @example
 * const engine = createEngine({ db, queue, sender, secrets: createKeyRing(process.env.KEEPSEND_SECRET_KEY) })
 */
export function createKeyRing(keys: string | readonly RingKey[] | undefined): SecretEncryption {
  const ring = new Map<string, () => Promise<ImportedKey>>()
  for (const { id, key } of typeof keys === 'string' ? keys.split(',').map(readKey) : (keys ?? [])) {
    if (!/^[\w.-]{1,32}$/.test(id)) throw invalid('the id of a key must be 1 to 32 of A-Z a-z 0-9 . _ -')
    if (ring.has(id)) throw invalid(`the key id ${id} is given twice`)
    const bytes = fromBase64(key)
    if (bytes?.length !== KEY_BYTES) {
      throw invalid(
        `the key ${id} must be the base64 of ${KEY_BYTES} bytes; found ${bytes?.length ?? 'invalid base64'}`,
      )
    }
    ring.set(id, imported(bytes))
  }
  const [keyId] = ring.keys()
  if (keyId === undefined || ring.size > MAX_KEYS) {
    throw invalid(`a key ring has 1 to ${MAX_KEYS} keys; found ${ring.size}: ${HOW}`)
  }
  const keyOf = (id: string): Promise<ImportedKey> => {
    const key = ring.get(id)
    if (!key) throw unreadable(`the key ring has no key ${id}: append it to the ring`)
    return key()
  }

  return {
    keyId,
    async wrap(plain, context) {
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
      const sealed = await crypto.subtle.encrypt(algorithm(nonce, context, keyId), await keyOf(keyId), plain)
      const wrapped = new Uint8Array(NONCE_BYTES + sealed.byteLength)
      wrapped.set(nonce)
      wrapped.set(new Uint8Array(sealed), NONCE_BYTES)
      return wrapped
    },
    async unwrap(wrapped, context, id) {
      const key = await keyOf(id)
      const parameters = algorithm(wrapped.subarray(0, NONCE_BYTES), context, id)
      try {
        return new Uint8Array(await crypto.subtle.decrypt(parameters, key, wrapped.subarray(NONCE_BYTES)))
      } catch {
        throw unreadable(
          `it was not encrypted under the key ${id} for this row: it was changed, or copied from another row`,
        )
      }
    },
  }
}

function algorithm(iv: Uint8Array<ArrayBuffer>, context: SecretContext, keyId: string) {
  const { workspaceId, endpointId, scheme, version } = context
  // As JSON, so that different contexts never give the same bytes.
  const bound = JSON.stringify(['keepsend', keyId, workspaceId, endpointId, scheme, version])
  return { name: 'AES-GCM', iv, additionalData: utf8(bound) }
}

/** Imports the key on first use: creating a ring has no effects. */
function imported(bytes: Uint8Array<ArrayBuffer>): () => Promise<ImportedKey> {
  let key: Promise<ImportedKey> | undefined
  return () => (key ??= crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']))
}

function readKey(text: string): RingKey {
  const at = text.indexOf(':')
  if (at < 0)
    throw invalid(`a key must be its id, a colon and the base64 of ${KEY_BYTES} bytes; found no colon: ${HOW}`)
  return { id: text.slice(0, at).trim(), key: text.slice(at + 1).trim() }
}

function unreadable(message: string): EngineError {
  return new EngineError('secret_unreadable', message)
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_option', `secrets: ${message}`)
}
