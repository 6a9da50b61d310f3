import { fromBase64, toBase64, utf8 } from '../formats/encoding.ts'
import { EngineError } from '../errors.ts'

/**
 * Encrypts texts that are longer than {@link SecretEncryption} accepts, under a key of its own that is stored as a secret, in
 * base64. A text that was sealed under one name does not open under another.
 */
export interface Envelope {
  seal(name: string, text: string): Promise<string>
  /** @throws {EngineError} `secret_unreadable`, with the name and nothing of the text */
  open(name: string, sealed: string): Promise<string>
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const decoder = new TextDecoder()

/** A key for one envelope. Each change makes a new one, so that an older key cannot read what is set later. */
export function newEnvelopeKey(): string {
  return toBase64(crypto.getRandomValues(new Uint8Array(KEY_BYTES)))
}

/** @throws {EngineError} `secret_unreadable` for an invalid key */
export async function createEnvelope(base64: string): Promise<Envelope> {
  const bytes = fromBase64(base64) ?? new Uint8Array()
  const key = await crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']).catch(invalidKey)
  return {
    async seal(name, text) {
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
      const sealed = new Uint8Array(await crypto.subtle.encrypt(algorithm(nonce, name), key, utf8(text)))
      return `${toBase64(nonce)}${toBase64(sealed)}`
    },
    async open(name, sealed) {
      try {
        const all = fromBase64(sealed) ?? new Uint8Array()
        const parameters = algorithm(all.subarray(0, NONCE_BYTES), name)
        return decoder.decode(await crypto.subtle.decrypt(parameters, key, all.subarray(NONCE_BYTES)))
      } catch (cause) {
        throw unreadable(`${name} could not be decrypted: it was changed, or copied from another row`, cause)
      }
    },
  }
}

export function unreadable(message: string, cause?: unknown): EngineError {
  return new EngineError('secret_unreadable', message, { cause })
}

function invalidKey(cause: unknown): never {
  throw unreadable('the headers or credentials of an endpoint could not be decrypted: their key is invalid', cause)
}

function algorithm(iv: Uint8Array<ArrayBuffer>, name: string) {
  return { name: 'AES-GCM', iv, additionalData: utf8(name) }
}
