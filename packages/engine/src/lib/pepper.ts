import { type OutboxDatabase, clock, sqlText } from '@keepsend/outbox'
import { fromBase64, toBase64, toHex } from './encoding.ts'
import type { SecretStore, StoredSecret } from './secret-store.ts'
import { type ImportedKey, importHmacKey, signWith } from './web-crypto.ts'

/** Hashes API keys, so that a copy of the table is of no use without what keeps the secrets. */
export interface Pepper {
  /** HMAC-SHA256 in hex. Undefined: there is no pepper yet, and so no key. */
  hash(key: string): Promise<string | undefined>
  /** The same, with a pepper made first where there is none. */
  hashNew(key: string): Promise<string>
}

const PLACE = { workspaceId: '', endpointId: 'api_keys', scheme: 'pepper', version: 1 }

/** 32 random bytes, made with the first API key and kept among the secrets, encrypted as those are. */
export function createPepper(db: OutboxDatabase, store: SecretStore): Pepper {
  let known: Promise<ImportedKey | undefined> | undefined

  async function read(): Promise<ImportedKey | undefined> {
    const { rows } = await db.run(sqlText`
      select secret, key_id as "keyId" from keepsend_secrets
      where endpoint_id = ${PLACE.endpointId} and scheme = ${PLACE.scheme} and version = ${PLACE.version}`)
    const [row] = rows as unknown as Pick<StoredSecret, 'secret' | 'keyId'>[]
    if (!row) return undefined
    const bytes = fromBase64(await store.open({ ...PLACE, ...row })) ?? new Uint8Array()
    return importHmacKey(bytes)
  }

  /** Read once by each process; not remembered while there is none, nor when reading failed. */
  async function pepper(): Promise<ImportedKey | undefined> {
    known ??= read()
    try {
      const key = await known
      if (!key) known = undefined
      return key
    } catch (error) {
      known = undefined
      throw error
    }
  }

  async function make(): Promise<void> {
    const { secret, keyId } = await store.seal(toBase64(crypto.getRandomValues(new Uint8Array(32))), PLACE)
    // Of two processes that make one, the first has it, and both read that.
    await db.run(sqlText`
      insert into keepsend_secrets (endpoint_id, scheme, version, secret, key_id, created_at)
      values (${PLACE.endpointId}, ${PLACE.scheme}, ${PLACE.version}, ${secret}, ${keyId}, ${clock()})
      on conflict (endpoint_id, scheme, version) do nothing`)
  }

  async function hash(key: string): Promise<string | undefined> {
    const under = await pepper()
    return under && toHex(await signWith(under, key))
  }

  return {
    hash,
    async hashNew(key) {
      const hashed = await hash(key)
      if (hashed !== undefined) return hashed
      await make()
      const after = await hash(key)
      if (after === undefined) throw new Error('the pepper of the API keys was deleted as it was made')
      return after
    },
  }
}
