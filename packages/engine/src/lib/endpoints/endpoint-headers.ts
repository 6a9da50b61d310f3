import { checkHeaders } from './custom-headers.ts'
import { createEnvelope, newEnvelopeKey, unreadable } from '../secrets/envelope.ts'
import type { EngineError } from '../errors.ts'

/** An endpoint's own headers, encrypted and ready to be written. */
export interface SealedHeaders {
  /** JSON: the names, and each value encrypted. */
  column: string
  /** Their encryption key in base64, stored as a secret; undefined without headers. */
  key: string | undefined
}

/**
 * Encrypts the values, under a new key each time: a KMS accepts a few bytes where headers have up to 16 KiB, and an older key
 * must not read what is set later.
 *
 * @throws {EngineError} `invalid_endpoint`, naming the header
 */
export async function sealHeaders(given: Readonly<Record<string, string>>): Promise<SealedHeaders> {
  const headers = Object.entries(checkHeaders(given))
  if (headers.length === 0) return { column: '{}', key: undefined }
  const key = newEnvelopeKey()
  const envelope = await createEnvelope(key)
  const sealed = await Promise.all(
    headers.map(async ([name, value]) => [name, await envelope.seal(name, value)] as const),
  )
  return { column: JSON.stringify(Object.fromEntries(sealed)), key }
}

/** @throws {EngineError} `secret_unreadable`, naming the header and no value */
export async function openHeaders(
  sealed: Readonly<Record<string, string>>,
  secret: string | Promise<string>,
): Promise<Record<string, string>> {
  const envelope = await createEnvelope(await secret)
  const opened = await Promise.all(
    Object.entries(sealed).map(async ([name, text]) => [name, await envelope.open(name, text)] as const),
  )
  return Object.fromEntries(opened)
}

/** The error for headers or credentials whose key is missing. */
export function keyless(what: string, endpointId: string): EngineError {
  return unreadable(`the ${what} of ${endpointId} could not be decrypted: there is no key for it`)
}
