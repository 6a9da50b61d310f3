const encoder = new TextEncoder()

/** By what `importKey` gives: the types of each runtime have a name of their own for it. */
export type ImportedKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

export function importHmacKey(key: Uint8Array<ArrayBuffer>): Promise<ImportedKey> {
  return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
}

/** One signature by the algorithm that the key is for. */
export async function signWith(key: ImportedKey, content: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign(key.algorithm.name, key, encoder.encode(content)))
}
