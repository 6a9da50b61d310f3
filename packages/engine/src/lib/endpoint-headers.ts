import { checkHeaders } from './custom-headers.ts'
import { fromBase64, toBase64, utf8 } from './encoding.ts'
import { EngineError } from './errors.ts'
import type { ImportedKey } from './web-crypto.ts'

/** An endpoint's own headers on their way to its row. */
export interface SealedHeaders {
  /** JSON: the names, and each value encrypted. */
  column: string
  /** What they are encrypted under, in base64: a secret like any other. Undefined where there are none. */
  key: string | undefined
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const decoder = new TextDecoder()

/**
 * Encrypts the values under a new key each time: a KMS takes a few bytes and headers are up to 16 KiB, and whoever held an
 * older key reads nothing of what is set later.
 *
 * @throws {EngineError} `invalid_endpoint`, naming the header
 */
export async function sealHeaders(given: Readonly<Record<string, string>>): Promise<SealedHeaders> {
  const headers = Object.entries(checkHeaders(given))
  if (headers.length === 0) return { column: '{}', key: undefined }
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES))
  const key = await imported(bytes)
  const sealed = await Promise.all(
    headers.map(async ([name, value]) => {
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
      const secret = new Uint8Array(await crypto.subtle.encrypt(algorithm(nonce, name), key, utf8(value)))
      return [name, `${toBase64(nonce)}${toBase64(secret)}`] as const
    }),
  )
  return { column: JSON.stringify(Object.fromEntries(sealed)), key: toBase64(bytes) }
}

/** @throws {EngineError} `secret_unreadable`, naming the header and no value */
export async function openHeaders(
  sealed: Readonly<Record<string, string>>,
  secret: string | Promise<string>,
): Promise<Record<string, string>> {
  const key = await imported(fromBase64(await secret) ?? new Uint8Array())
  const opened = await Promise.all(
    Object.entries(sealed).map(async ([name, text]) => {
      try {
        const bytes = fromBase64(text) ?? new Uint8Array()
        const how = algorithm(bytes.subarray(0, NONCE_BYTES), name)
        return [name, decoder.decode(await crypto.subtle.decrypt(how, key, bytes.subarray(NONCE_BYTES)))] as const
      } catch (cause) {
        throw unreadable(`the header ${name} was changed, or copied here`, cause)
      }
    }),
  )
  return Object.fromEntries(opened)
}

/** Of headers that have no key. */
export function keyless(endpointId: string): EngineError {
  return unreadable(`the headers of ${endpointId} have no key`)
}

function unreadable(why: string, cause?: unknown): EngineError {
  return new EngineError('secret_unreadable', `an endpoint's own headers could not be decrypted: ${why}`, { cause })
}

function algorithm(iv: Uint8Array<ArrayBuffer>, name: string) {
  return { name: 'AES-GCM', iv, additionalData: utf8(name) }
}

async function imported(bytes: Uint8Array<ArrayBuffer>): Promise<ImportedKey> {
  try {
    return await crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt'])
  } catch (cause) {
    throw unreadable('their key is none', cause)
  }
}
