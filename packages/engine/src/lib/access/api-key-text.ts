import { toBase64Url, utf8 } from '../formats/encoding.ts'

// ks_, 32 random bytes and a CRC-32 of all that stands before it, both in base64url: a scanner that finds 49 such
// characters behind ks_ can tell a key from what looks like one, without asking anybody.
const PREFIX = 'ks_'
const KEY = /^ks_[A-Za-z0-9_-]{49}$/
const CHECKSUM_AT = PREFIX.length + 43

export function newApiKey(): string {
  const head = PREFIX + toBase64Url(crypto.getRandomValues(new Uint8Array(32)))
  return head + checksum(head)
}

/** Whether it can be a key at all. */
export function isApiKey(text: string): boolean {
  return KEY.test(text) && text.slice(CHECKSUM_AT) === checksum(text.slice(0, CHECKSUM_AT))
}

/** Six characters. */
function checksum(head: string): string {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, crc32(utf8(head)))
  return toBase64Url(bytes)
}

/** CRC-32 as zip and PNG have it. */
function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
