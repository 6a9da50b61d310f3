import { type KeyObject, createHmac, createSecretKey } from 'node:crypto'
import { type Signer, secretKey } from '@keepsend/engine'

/**
 * Signs with `node:crypto`, keeping the key objects: 3 µs a signature, against 17 µs with the raw key each time and
 * 11–67 µs through WebCrypto.
 */
export function createHmacSigner(options: { maxKeys?: number } = {}): Signer {
  const { maxKeys = 10_000 } = options
  const keys = new Map<string, KeyObject>()
  return (secret, content) => {
    let key = keys.get(secret)
    if (!key) {
      if (keys.size >= maxKeys) keys.delete(keys.keys().next().value ?? secret)
      key = createSecretKey(secretKey(secret))
      keys.set(secret, key)
    }
    return createHmac('sha256', key).update(content).digest('base64')
  }
}
