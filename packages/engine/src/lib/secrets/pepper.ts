import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, sqlText } from '@keepsend/outbox/internal'
import { fromBase64, toBase64, toHex } from '../formats/encoding.ts'
import type { SecretStore, StoredSecret } from './secret-store.ts'
import { type ImportedKey, importHmacKey, signWith } from '../signing/web-crypto.ts'

/** Hashes API keys, so that a copy of the table is of no use without what keeps the secrets. */
export interface Pepper {
  /** HMAC-SHA256 in hex. Undefined: there is no pepper yet, and so no key. */
  hash(key: string): Promise<string | undefined>
  /** The same for a key that was not found, by a pepper that has changed; undefined where it has not. */
  hashAnew(key: string): Promise<string | undefined>
  /** The same for a new key, with a pepper made first where there is none. */
  hashNew(key: string): Promise<string>
}

/** Where the pepper stands among the secrets. */
export const PEPPER_PLACE = { workspaceId: '', endpointId: 'api_keys', scheme: 'pepper', version: 1 }

/** 32 random bytes, made with the first API key and kept among the secrets, encrypted as those are. */
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
    // Of two processes that make one, the first has it, and both read that.
    await db.run(sqlText`
      insert into keepsend_secrets (endpoint_id, scheme, version, secret, key_id, created_at)
      values (${PEPPER_PLACE.endpointId}, ${PEPPER_PLACE.scheme}, ${PEPPER_PLACE.version}, ${secret}, ${keyId}, ${clock()})
      on conflict (endpoint_id, scheme, version) do nothing`)
  }

  async function hashBy(pepper: typeof known, key: string): Promise<string | undefined> {
    return pepper && toHex(await signWith(pepper.key, key))
  }

  return {
    async hash(key) {
      known ??= await read()
      return hashBy(known, key)
    },

    // The tables were restored or made again under a running process.
    async hashAnew(key) {
      const before = known?.text
      known = await read()
      return known?.text === before ? undefined : hashBy(known, key)
    },

    // Read again each time: a key under a pepper that is no longer there would be lost with this process.
    async hashNew(key) {
      known = await read()
      if (!known) {
        await make()
        known = await read()
      }
      const hash = await hashBy(known, key)
      if (hash === undefined) throw new Error('the pepper of the API keys was deleted as it was made')
      return hash
    },
  }
}
