const encoder = new TextEncoder()

/** The result of `importKey`: the types of Node and of workerd name it differently. */
export type ImportedKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

export function importHmacKey(key: Uint8Array<ArrayBuffer>): Promise<ImportedKey> {
  return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
}

/** Signs with the algorithm of the key. */
export async function signWith(key: ImportedKey, content: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign(key.algorithm.name, key, encoder.encode(content)))
}
