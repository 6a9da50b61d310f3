import { hash } from 'node:crypto'
import { type Signer, secretKey } from '@keepsend/engine'

/** SHA-256 takes its input in blocks of 64 bytes; a secret is at most one. */
const BLOCK = 64
// Most events fit, and then nothing is allocated for them.
const SCRATCH_BYTES = 16_384

/**
 * HMAC-SHA256 by two one-shot hashes (RFC 2104): `H(key ^ opad, H(key ^ ipad, content))`. 2 to 3 µs a signature of 560
 * bytes, where `createHmac` takes 4.5 to 5 with a key object that is kept, and 17 with the raw key (measured).
 */
export function createHmacSigner(options: { maxKeys?: number } = {}): Signer {
  const { maxKeys = 10_000 } = options
  const keys = new Map<string, Pads>()
  const scratch = Buffer.alloc(SCRATCH_BYTES)
  const outer = Buffer.alloc(BLOCK + 32)
  return (secret, content) => {
    let pads = keys.get(secret)
    if (!pads) {
      if (keys.size >= maxKeys) keys.delete(keys.keys().next().value ?? secret)
      pads = padsOf(secretKey(secret))
      keys.set(secret, pads)
    }
    const most = BLOCK + content.length * 3
    const inner = most <= SCRATCH_BYTES ? scratch : Buffer.alloc(most)
    inner.set(pads.inner)
    outer.set(pads.outer)
    const end = BLOCK + inner.write(content, BLOCK)
    // In hex: a third faster than a buffer, which is an object to make.
    outer.write(hash('sha256', inner.subarray(0, end), 'hex'), BLOCK, 'hex')
    return hash('sha256', outer, 'base64')
  }
}

interface Pads {
  inner: Uint8Array
  outer: Uint8Array
}

function padsOf(key: Uint8Array): Pads {
  const padded = new Uint8Array(BLOCK)
  padded.set(key)
  return { inner: padded.map((byte) => byte ^ 0x36), outer: padded.map((byte) => byte ^ 0x5c) }
}
