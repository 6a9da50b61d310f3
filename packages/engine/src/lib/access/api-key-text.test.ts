import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isApiKey, newApiKey } from './api-key-text.ts'

it('a key is ks_, 32 bytes and the CRC-32 of both, in base64url', () => {
  const keys = Array.from({ length: 100 }, newApiKey)
  expect(new Set(keys).size).toBe(100)
  for (const key of keys) {
    expect(key).toMatch(/^ks_[A-Za-z0-9_-]{49}$/)
    expect(Buffer.from(key.slice(3, 46), 'base64url')).toHaveLength(32)
    expect(Buffer.from(key.slice(46), 'base64url').readUInt32BE()).toBe(crc32(key.slice(0, 46)))
    expect(isApiKey(key)).toBe(true)
  }
})

it('a key with one character changed, removed or added is invalid, and so is any other text', () => {
  const key = newApiKey()
  for (let at = 0; at < key.length; at++) {
    const other = key[at] === 'A' ? 'B' : 'A'
    expect(isApiKey(key.slice(0, at) + other + key.slice(at + 1)), `character ${at}`).toBe(false)
    expect(isApiKey(key.slice(0, at) + key.slice(at + 1)), `without ${at}`).toBe(false)
  }
  expect(isApiKey(`${key}A`)).toBe(false)
  fc.assert(fc.property(fc.string(), (text) => !isApiKey(text)))
})
