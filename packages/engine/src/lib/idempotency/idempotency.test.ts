import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import { hashKey, readKey } from './idempotency.ts'

const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) })
const invalid = expect.objectContaining({ code: 'invalid_request' })

describe('an Idempotency-Key', () => {
  it.each([
    ['k1', 'k1'],
    ['"k1"', 'k1'],
    ['  k1\t', 'k1'],
    ['" k1 "', ' k1 '],
    [String.raw`"a\"b\\c"`, String.raw`a"b\c`],
    [String.raw`a\b`, String.raw`a\b`],
    ['8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ['x'.repeat(255), 'x'.repeat(255)],
    [`"${'x'.repeat(255)}"`, 'x'.repeat(255)],
  ])('%j is the key %j', (header, key) => {
    expect(readKey(header)).toBe(key)
  })

  it.each([
    '',
    ' ',
    '""',
    '"',
    '"k1',
    'k1"',
    'k"1',
    String.raw`"k1\"`,
    String.raw`"\k1"`,
    '"a"b"',
    'k\u0001',
    'k\u007f',
    '"k\n"',
    'ключ',
    'k\u00a01',
    'x'.repeat(256),
    `"${'x'.repeat(256)}"`,
  ])('%j is malformed', (header) => {
    expect(() => readKey(header)).toThrow(invalid)
  })

  it('parses any printable text that was quoted', () => {
    fc.assert(
      fc.property(
        printable.filter((key) => key.length > 0 && key.length <= 255),
        (key) => {
          expect(readKey(`"${key.replaceAll(/(["\\])/g, '\\$1')}"`)).toBe(key)
        },
      ),
    )
  })

  it('is 1 to 255 printable characters, or any text is refused', () => {
    fc.assert(
      fc.property(fc.oneof(printable, fc.string({ unit: 'binary' })), (header) => {
        const read = attempt(() => readKey(header))
        expect(read instanceof EngineError ? read.code : /^[\x20-\x7e]{1,255}$/.test(String(read))).toBeOneOf([
          'invalid_request',
          true,
        ])
      }),
    )
  })

  it('is stored as a hash, and the body as another; each request has its own owner', async () => {
    const request = { key: '"secret-key"', workspaceId: 'w1', method: 'POST', route: '/m', body: 'body' }
    const [one, two] = await Promise.all([hashKey(request), hashKey({ ...request, key: 'secret-key' })])
    expect(one.scope).toEqual(two.scope)
    expect(one.bodyHash).toBe(two.bodyHash)
    expect(one.owner).not.toBe(two.owner)
    // Salted by the key: the plain hash of a password could be guessed.
    expect((await hashKey({ ...request, key: 'another' })).bodyHash).not.toBe(one.bodyHash)
    expect(JSON.stringify(one)).not.toMatch(/secret-key|"body"/)
  })
})

function attempt(read: () => string): unknown {
  try {
    return read()
  } catch (error) {
    return error
  }
}
