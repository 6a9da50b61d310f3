const encoder = new TextEncoder()

/** The result of `importKey`: the types of Node and of workerd name it differently. */
export type ImportedKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

export function importHmacKey(key: Uint8Array<ArrayBuffer>): Promise<ImportedKey> {
  return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
}

/** Signs with the algorithm of the key. */
export async function signWith(key: ImportedKey, content: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign(key.algorithm.name, key, encoder.encode(content)))
}

/** Whether this is the signature of the content under the key. Compares in constant time. */
export function verifyWith(key: ImportedKey, signature: Uint8Array<ArrayBuffer>, content: string): Promise<boolean> {
  return crypto.subtle.verify(key.algorithm.name, key, signature, encoder.encode(content))
}
