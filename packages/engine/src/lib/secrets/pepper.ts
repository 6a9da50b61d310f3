import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import { fromBase64, toBase64, toHex } from '../formats/encoding.ts'
import type { SecretStore, StoredSecret } from './secret-store.ts'
import { type ImportedKey, importHmacKey, signWith } from '../signing/web-crypto.ts'

/** Hashes API keys and tokens of portal links, so that a copy of the table is useless without the key that encrypts the secrets. */
export interface Pepper {
  /** HMAC-SHA256 in hex. Undefined: there is no pepper yet, and so no API key. */
  hash(key: string): Promise<string | undefined>
  /** Reads the pepper again for a key that was not found: the hash under a changed pepper, or undefined if it has not changed. */
  hashAgain(key: string): Promise<string | undefined>
  /** The hash for a new key; makes the pepper if there is none. */
  hashNew(key: string): Promise<string>
  /** A secret for a purpose: see `ApiKeys.deriveSecret`. */
  derive(purpose: string): Promise<string>
}

/** The text whose hash is the secret for a purpose: no API key begins like this. */
export function derivation(purpose: string): string {
  return `derive ${purpose}`
}

/** The key of the pepper's row among the secrets. */
export const PEPPER_PLACE = { workspaceId: '', endpointId: 'api_keys', scheme: 'pepper', version: 1 }

/** The pepper is 32 random bytes, made with the first API key and stored encrypted among the secrets. */
export function createPepper(db: OutboxDatabase, store: SecretStore): Pepper {
  let known: { text: string; key: ImportedKey } | undefined

  async function read(): Promise<typeof known> {
    const { rows } = await db.run<Pick<StoredSecret, 'secret' | 'keyId'>>(sqlText`
      select secret, key_id as "keyId" from keepsend_secrets
      where endpoint_id = ${PEPPER_PLACE.endpointId} and scheme = ${PEPPER_PLACE.scheme} and version = ${PEPPER_PLACE.version}`)
    const [row] = rows
    if (!row) return undefined
    const text = await store.open({ ...PEPPER_PLACE, ...row })
    return { text, key: await importHmacKey(fromBase64(text) ?? new Uint8Array()) }
  }

  async function make(): Promise<void> {
    const { secret, keyId } = await store.seal(toBase64(crypto.getRandomValues(new Uint8Array(32))), PEPPER_PLACE)
    // The primary key lets one of two concurrent inserts through; both processes read that one afterwards.
    await db.run(sqlText`
      insert into keepsend_secrets (endpoint_id, scheme, version, secret, key_id, created_at)
      values (${PEPPER_PLACE.endpointId}, ${PEPPER_PLACE.scheme}, ${PEPPER_PLACE.version}, ${secret}, ${keyId}, ${clock()})
      on conflict (endpoint_id, scheme, version) do nothing`)
  }

  async function hashBy(pepper: typeof known, key: string): Promise<string | undefined> {
    return pepper && toHex(await signWith(pepper.key, key))
  }

  const pepper: Pepper = {
    async hash(key) {
      known ??= await read()
      return hashBy(known, key)
    },

    // Covers tables that were restored or created again while this process runs.
    async hashAgain(key) {
      const before = known?.text
      known = await read()
      return known?.text === before ? undefined : hashBy(known, key)
    },

    // Read each time: a key that is hashed under a deleted pepper would stop working when this process ends.
    async hashNew(key) {
      known = await read()
      if (!known) {
        await make()
        known = await read()
      }
      const hash = await hashBy(known, key)
      if (hash === undefined) throw new Error('the pepper of the API keys was deleted while it was made')
      return hash
    },

    async derive(purpose) {
      if (typeof purpose !== 'string' || purpose === '' || !purpose.isWellFormed())
        throw new EngineError(
          'invalid_option',
          `the purpose of a secret must be well-formed text that is not empty; found ${typeof purpose}`,
        )
      return pepper.hashNew(derivation(purpose))
    },
  }
  return pepper
}
