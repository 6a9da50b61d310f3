import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createKeyRing } from './key-ring.ts'

const newKey = () => randomBytes(32).toString('base64')
const CONTEXT = { workspaceId: 'w1', endpointId: 'ep_1', scheme: 'v1', version: '1' }
const bytes = (text: string) => new TextEncoder().encode(text)

describe('a key ring', () => {
  it('unwraps any bytes that it wrapped, in any context', async () => {
    const ring = createKeyRing([{ id: 'k1', key: newKey() }])
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 256 }),
        fc.record({ workspaceId: fc.string(), endpointId: fc.string(), scheme: fc.string(), version: fc.string() }),
        async (plain, context) => {
          const given = new Uint8Array(plain)
          const wrapped = await ring.wrap(given, context)
          expect(await ring.unwrap(new Uint8Array(wrapped), context, 'k1')).toEqual(given)
        },
      ),
    )
  })

  it('uses a new nonce each time, so that equal secrets give different rows', async () => {
    const ring = createKeyRing([{ id: 'k1', key: newKey() }])
    const wrapped = await Promise.all(Array.from({ length: 500 }, () => ring.wrap(bytes('secret'), CONTEXT)))
    expect(new Set(wrapped.map((one) => Buffer.from(one.subarray(0, 12)).toString('hex'))).size).toBe(500)
    // A nonce, the secret's length, and a tag.
    expect(wrapped[0]).toHaveLength(12 + 6 + 16)
  })

  it('unwraps in no other context, however similar', async () => {
    const ring = createKeyRing([{ id: 'k1', key: newKey() }])
    const wrapped = new Uint8Array(await ring.wrap(bytes('secret'), CONTEXT))
    for (const other of [
      { ...CONTEXT, workspaceId: 'w2' },
      { ...CONTEXT, endpointId: 'ep_2' },
      { ...CONTEXT, scheme: 'v1a' },
      { ...CONTEXT, version: '2' },
      { ...CONTEXT, workspaceId: 'w1","ep_1', endpointId: '' },
    ]) {
      await expect(ring.unwrap(wrapped, other, 'k1'), JSON.stringify(other)).rejects.toThrow(
        'changed, or copied from another row',
      )
    }
    expect(await ring.unwrap(wrapped, CONTEXT, 'k1')).toEqual(bytes('secret'))
  })

  it('refuses a wrapped secret with a changed byte, or a truncated one', async () => {
    const ring = createKeyRing([{ id: 'k1', key: newKey() }])
    const wrapped = new Uint8Array(await ring.wrap(bytes('secret'), CONTEXT))
    for (let at = 0; at < wrapped.length; at++) {
      const changed = wrapped.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      await expect(ring.unwrap(changed, CONTEXT, 'k1'), `byte ${at}`).rejects.toThrow('changed')
      await expect(ring.unwrap(wrapped.slice(0, at), CONTEXT, 'k1'), `${at} bytes`).rejects.toThrow('changed')
    }
  })

  it('encrypts under the first key, and decrypts under the key that the row names', async () => {
    const [old, fresh] = [newKey(), newKey()]
    const before = createKeyRing(`k1:${old}`)
    const wrapped = new Uint8Array(await before.wrap(bytes('secret'), CONTEXT))
    const after = createKeyRing(` k2:${fresh} , k1:${old} `)
    expect([before.keyId, after.keyId]).toEqual(['k1', 'k2'])
    expect(await after.unwrap(wrapped, CONTEXT, 'k1')).toEqual(bytes('secret'))
    // The key id is bound as well: a row cannot be edited to name another key.
    const same = createKeyRing([
      { id: 'k1', key: old },
      { id: 'k2', key: old },
    ])
    await expect(same.unwrap(wrapped, CONTEXT, 'k2')).rejects.toThrow('not encrypted under the key k2')
    await expect(createKeyRing(`k2:${fresh}`).unwrap(wrapped, CONTEXT, 'k1')).rejects.toThrow('has no key k1')
  })

  it.each([
    [undefined, 'a key ring has 1 to 32 keys; found 0: make one with: echo'],
    ['', 'a key must be its id, a colon and the base64 of 32 bytes'],
    [[], 'has 1 to 32 keys'],
    ['CANARY', 'a key must be its id'],
    ['k1:CANARY', 'the key k1 must be the base64 of 32 bytes; found'],
    [`k1:${Buffer.alloc(31, 'CANARY').toString('base64')}`, 'found 31'],
    [`k1:${Buffer.alloc(33, 'CANARY').toString('base64')}`, 'found 33'],
    ['k1:CANARY!', 'found invalid base64'],
    [`CANARY CANARY:${newKey()}`, 'the id of a key must be'],
    [`k1:${newKey()},k1:${newKey()}`, 'the key id k1 is given twice'],
    [Array.from({ length: 33 }, (_, n) => ({ id: `k${n}`, key: newKey() })), 'found 33'],
  ])('is not made of %j, and the error quotes no key', (keys, message) => {
    expect(() => createKeyRing(keys)).toThrow(message)
    expect(() => createKeyRing(keys)).toThrow(expect.objectContaining({ code: 'invalid_option' }))
    expect(() => createKeyRing(keys)).not.toThrow('CANARY')
  })
})
