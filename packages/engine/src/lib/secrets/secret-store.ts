import { fromBase64, toBase64, utf8 } from '../formats/encoding.ts'
import { EngineError } from '../errors.ts'
import { inTime } from '../in-time.ts'
import type { SecretContext, SecretEncryption } from './secret-encryption.ts'

/** What keeps secrets at rest: `'plaintext-for-development'` keeps them readable. */
export type Secrets = SecretEncryption | typeof PLAINTEXT

export const PLAINTEXT = 'plaintext-for-development'

/** A secret as its row has it. */
export interface StoredSecret {
  workspaceId: string
  endpointId: string
  scheme: string
  version: number
  secret: string
  /** Null: readable. */
  keyId: string | null
}

/** Secrets on their way to rows and back. */
export interface SecretStore {
  /** What secrets are sealed under now; undefined for plaintext. */
  readonly keyId: string | undefined
  seal(plain: string, place: SecretPlace): Promise<Pick<StoredSecret, 'secret' | 'keyId'>>
  /**
   * At once for what was opened before; what fails is asked again the next time.
   *
   * @throws {EngineError} `secret_unreadable`, naming the endpoint and no secret; its cause is `secret_unreadable` too where
   * the key is another, and anything else where the keeper failed
   */
  open(stored: StoredSecret): string | Promise<string>
}

/** The row that a secret belongs in. */
type SecretPlace = Pick<StoredSecret, 'workspaceId' | 'endpointId' | 'scheme' | 'version'>

const MAX_OPENED = 20_000
// A KMS that does not answer must not hold the slot of an attempt for good.
const PATIENCE_MS = 5000
const kept = (work: Promise<Uint8Array>): Promise<Uint8Array> => inTime(work, PATIENCE_MS, 'the keeper of the secrets')
const decoder = new TextDecoder()

/** @throws {EngineError} `invalid_option` when nothing says how secrets are kept */
export function createSecretStore(secrets: Secrets | undefined): SecretStore {
  const keeper = encryptionOf(secrets)
  const opened = new Map<string, Pick<StoredSecret, 'secret' | 'keyId'> & { plain: string }>()

  async function unwrap(place: string, stored: StoredSecret, keyId: string): Promise<string> {
    const wrapped = fromBase64(stored.secret)
    try {
      if (!keeper)
        throw unreadable(`it is encrypted under the key ${keyId}, and this engine keeps secrets in plaintext`)
      if (!wrapped) throw unreadable('it is no base64')
      const plain = decoder.decode(await kept(keeper.unwrap(wrapped, contextOf(stored), keyId)))
      if (opened.size >= MAX_OPENED) opened.delete(opened.keys().next().value ?? place)
      opened.set(place, { secret: stored.secret, keyId, plain })
      return plain
    } catch (error) {
      const why = error instanceof Error ? error.message : 'the keeper of the secrets failed'
      throw unreadable(`the secret ${place} could not be decrypted: ${why}`, error)
    }
  }

  return {
    get keyId() {
      return keeper?.keyId
    },
    async seal(plain, place) {
      if (!keeper) return { secret: plain, keyId: null }
      const { keyId } = keeper
      return { secret: toBase64(await kept(keeper.wrap(utf8(plain), contextOf(place)))), keyId }
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
      `secrets must say how signing secrets are encrypted at rest: createKeyRing(process.env.KEEPSEND_SECRET_KEY), or a KMS; ` +
        `'${PLAINTEXT}' keeps them readable. Found ${typeof secrets}`,
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
