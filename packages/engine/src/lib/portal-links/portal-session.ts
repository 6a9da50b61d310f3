import { fromBase64Url, toBase64Url, utf8 } from '../formats/encoding.ts'
import { type Pepper, derivation } from '../secrets/pepper.ts'
import { importHmacKey, signWith, verifyWith } from '../signing/web-crypto.ts'

/** Sessions are signed values, so no row is stored for one. Whether its link still allows it is in the row of the link. */
export interface PortalSessions {
  /** A new session: the id of its link, 128 random bits, and an HMAC of both. */
  create(linkId: string): Promise<string>
  /** The id of the link; undefined: this engine's keys have signed no such session. Compares in constant time. */
  linkOf(session: string): Promise<string | undefined>
}

// All processes derive the same key from the pepper of the API keys.
const KEY = derivation('keepsend portal sessions')
const SESSION = /^((plk_[\da-f-]{36})\.[\w-]{22})\.([\w-]{43})$/
const NONCE_BYTES = 16

export function createPortalSessions(pepper: Pepper): PortalSessions {
  return {
    async create(linkId) {
      const content = `${linkId}.${toBase64Url(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)))}`
      const key = await importHmacKey(utf8(await pepper.hashNew(KEY)))
      return `${content}.${toBase64Url(await signWith(key, content))}`
    },

    async linkOf(session) {
      const [, content, linkId, text] = (typeof session === 'string' && SESSION.exec(session)) || []
      const signature = text === undefined ? undefined : fromBase64Url(text)
      // Its last character has two bits that no byte uses: only one of four spellings is valid.
      if (content === undefined || !signature || toBase64Url(signature) !== text) return undefined
      const isSignedBy = async (secret: string | undefined): Promise<boolean> =>
        secret !== undefined && verifyWith(await importHmacKey(utf8(secret)), signature, content)
      const isSigned = (await isSignedBy(await pepper.hash(KEY))) || (await isSignedBy(await pepper.hashAgain(KEY)))
      return isSigned ? linkId : undefined
    },
  }
}
