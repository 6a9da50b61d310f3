import { fromBase64, toBase64, utf8 } from '../formats/encoding.ts'
import { EngineError } from '../errors.ts'
import { inTime } from '../in-time.ts'
import type { SecretContext, SecretEncryption } from './secret-encryption.ts'

/** How secrets are stored: encrypted, or readable with `'plaintext-for-development'`. */
export type Secrets = SecretEncryption | typeof PLAINTEXT

export const PLAINTEXT = 'plaintext-for-development'

/** A secret as it is stored. */
export interface StoredSecret {
  workspaceId: string
  endpointId: string
  scheme: string
  version: number
  secret: string
  /** Null: plaintext. */
  keyId: string | null
}

/** Encrypts secrets for their rows, and decrypts them. */
export interface SecretStore {
  /** The active key; undefined for plaintext. */
  readonly keyId: string | undefined
  seal(plain: string, place: SecretPlace): Promise<Pick<StoredSecret, 'secret' | 'keyId'>>
  /**
   * Synchronous for a secret that was decrypted before; failures are not cached.
   *
   * @throws {EngineError} `secret_unreadable`, naming the endpoint and no secret. Its cause is `secret_unreadable` too if the
   * key is missing or different, and another error if the key service failed
   */
  open(stored: StoredSecret): string | Promise<string>
}

/** The row that a secret belongs in. */
type SecretPlace = Pick<StoredSecret, 'workspaceId' | 'endpointId' | 'scheme' | 'version'>

const MAX_OPENED = 20_000
// A KMS that does not answer must not block the slot of an attempt forever.
const KMS_TIMEOUT_MS = 5000
const withTimeout = (work: Promise<Uint8Array>): Promise<Uint8Array> =>
  inTime(work, KMS_TIMEOUT_MS, 'the encryption of secrets')
const decoder = new TextDecoder()

/** @throws {EngineError} `invalid_option` if `secrets` is not given or not valid */
export function createSecretStore(secrets: Secrets | undefined): SecretStore {
  const encryption = encryptionOf(secrets)
  const opened = new Map<string, Pick<StoredSecret, 'secret' | 'keyId'> & { plain: string }>()

  async function unwrap(place: string, stored: StoredSecret, keyId: string): Promise<string> {
    const wrapped = fromBase64(stored.secret)
    try {
      if (!encryption)
        throw unreadable(`it is encrypted under the key ${keyId}, and this engine stores secrets in plaintext`)
      if (!wrapped) throw unreadable('it is not valid base64')
      const plain = decoder.decode(await withTimeout(encryption.unwrap(wrapped, contextOf(stored), keyId)))
      if (opened.size >= MAX_OPENED) opened.delete(opened.keys().next().value ?? place)
      opened.set(place, { secret: stored.secret, keyId, plain })
      return plain
    } catch (error) {
      const why = error instanceof Error ? error.message : 'the encryption of secrets failed'
      throw unreadable(`the secret ${place} could not be decrypted: ${why}`, error)
    }
  }

  return {
    get keyId() {
      return encryption?.keyId
    },
    async seal(plain, place) {
      if (!encryption) return { secret: plain, keyId: null }
      const { keyId } = encryption
      return { secret: toBase64(await withTimeout(encryption.wrap(utf8(plain), contextOf(place)))), keyId }
    },
    open(stored) {
      if (stored.keyId === null) return stored.secret
      const place = `${stored.workspaceId}/${stored.endpointId}/${stored.scheme}/${stored.version}`
      const known = opened.get(place)
      if (known && known.secret === stored.secret && known.keyId === stored.keyId) return known.plain
      return unwrap(place, stored, stored.keyId)
    },
  }
}

/** Undefined for plaintext. */
export function encryptionOf(secrets: Secrets | undefined): SecretEncryption | undefined {
  if (secrets === PLAINTEXT) return undefined
  if (typeof secrets?.wrap !== 'function' || typeof secrets.unwrap !== 'function') {
    throw new EngineError(
      'invalid_option',
      `secrets must be createKeyRing(process.env.KEEPSEND_SECRET_KEY), a KMS, ` +
        `or '${PLAINTEXT}', which stores them readable; found ${typeof secrets}`,
    )
  }
  if (typeof secrets.keyId !== 'string' || !/^[\u0021-\u007e]{1,64}$/.test(secrets.keyId)) {
    throw new EngineError('invalid_option', 'secrets.keyId must be 1 to 64 visible ASCII characters')
  }
  return secrets
}

function unreadable(message: string, cause?: unknown): EngineError {
  return new EngineError('secret_unreadable', message, { cause })
}

function contextOf({ workspaceId, endpointId, scheme, version }: SecretPlace): SecretContext {
  return { workspaceId, endpointId, scheme, version: String(version) }
}
