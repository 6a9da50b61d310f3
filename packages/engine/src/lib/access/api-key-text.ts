import { toBase64Url, utf8 } from '../formats/encoding.ts'

// ks_, then 32 random bytes and a CRC-32 of everything before it, both in base64url. The checksum lets a secret scanner tell
// a key from 49 similar characters behind ks_ without asking the server.
const PREFIX = 'ks_'
const KEY = /^ks_[A-Za-z0-9_-]{49}$/
const CHECKSUM_AT = PREFIX.length + 43

export function newApiKey(): string {
  const head = PREFIX + toBase64Url(crypto.getRandomValues(new Uint8Array(32)))
  return head + checksum(head)
}

/** Whether the text has the form and the checksum of a key. */
export function isApiKey(text: string): boolean {
  return KEY.test(text) && text.slice(CHECKSUM_AT) === checksum(text.slice(0, CHECKSUM_AT))
}

/** Six characters of base64url. */
function checksum(head: string): string {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, crc32(utf8(head)))
  return toBase64Url(bytes)
}

/** CRC-32 as in zip and PNG. */
function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
