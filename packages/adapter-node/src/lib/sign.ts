import { type KeyObject, createHmac, createPrivateKey, createSecretKey, sign } from 'node:crypto'
import { type Signer, signingKey } from '@keepsend/engine'

/**
 * Signs with `node:crypto`, keeping the key objects. HMAC: 3 µs a signature, against 17 µs with the raw key each time
 * and 11–67 µs through WebCrypto. Ed25519 is signed at once too, without a turn of the thread pool.
 */
export function createNodeSigner(options: { maxKeys?: number } = {}): Signer {
  const { maxKeys = 10_000 } = options
  const keys = new Map<string, KeyObject>()
  return (secret, content) => {
    let key = keys.get(secret)
    if (!key) {
      if (keys.size >= maxKeys) keys.delete(keys.keys().next().value ?? secret)
      key = keyObject(secret)
      keys.set(secret, key)
    }
    return key.type === 'private'
      ? sign(null, Buffer.from(content), key).toString('base64')
      : createHmac('sha256', key).update(content).digest('base64')
  }
}

function keyObject(secret: string): KeyObject {
  const signing = signingKey(secret)
  if (signing.algorithm === 'HMAC') return createSecretKey(signing.key)
  return createPrivateKey({ key: Buffer.from(signing.pkcs8), format: 'der', type: 'pkcs8' })
}
