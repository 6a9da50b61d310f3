import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkHeaders } from './custom-headers.ts'

const refusal = (headers: Record<string, string>): string => {
  try {
    checkHeaders(headers)
  } catch (error) {
    return (error as Error).message
  }
  return 'allowed'
}

describe('headers of an endpoint', () => {
  it('are stored under lower-case names, with their values unchanged', () => {
    expect(checkHeaders({ Authorization: 'Bearer a b', 'X-Env': 'prod' })).toEqual({
      authorization: 'Bearer a b',
      'x-env': 'prod',
    })
    expect(checkHeaders({})).toEqual({})
  })

  it.each([
    'Host',
    'connection',
    'Content-Type',
    'content-length',
    'Transfer-Encoding',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Keep-Alive',
    'Proxy-Authorization',
    'Forwarded',
    'X-Forwarded-For',
    'CF-Connecting-IP',
    'webhook-id',
    'Webhook-Signature',
    'keepsend-x',
    'user-agent',
    'Accept-Encoding',
    'sec-fetch-site',
    'via',
    'date',
  ])('%s is not theirs to set', (name) => {
    expect(refusal({ [name]: 'x' })).toBe(`headers: ${JSON.stringify(name)} is reserved: endpoints cannot set it`)
  })

  it('a name that would set the prototype of an object is refused like any other', () => {
    const headers = JSON.parse('{ "__proto__": "x" }') as Record<string, string>
    expect(refusal(headers)).toBe('headers: "__proto__" is reserved: endpoints cannot set it')
  })

  it.each(['', ' ', 'a b', 'a:', 'a\nb', 'é', 'x(y)', 'a,b', '"a"', 'a/b', 'a\u0000'])(
    '%j is not a valid name',
    (name) => {
      expect(refusal({ [name]: 'x' })).toMatch(/is not a valid header name$/)
    },
  )

  it.each(['', ' x', 'x ', 'a\r\nhost: evil', 'a\nb', 'a\u0000b', '\tx', 'é', '\u007f', 'x'.repeat(4097)])(
    'the value %j is refused, and not repeated in the error',
    (value) => {
      const message = refusal({ 'x-a': value })
      expect(message).toBe('headers: the value of "x-a" must be 1 to 4096 visible ASCII characters, spaces inside')
    },
  )

  it('are at most 32, 4,096 characters each and 16 KiB in all, and none is given twice', () => {
    const many = (count: number, bytes = 1) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-${n}`, 'v'.repeat(bytes)]))
    expect([refusal(many(32)), refusal(many(33))]).toEqual(['allowed', 'headers: at most 32 headers; found 33'])
    expect(refusal(many(3, 4096))).toBe('allowed')
    expect(refusal(many(4, 4096))).toMatch(/^headers: at most 16384 bytes in all; found 16\d{3}$/)
    expect(refusal({ 'X-A': '1', 'x-a': '2' })).toBe('headers: "x-a" is given twice')
  })

  it('accepted headers are one line each, under no reserved name', () => {
    const name = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('host', 'x-a', 'webhook-x', 'content-x'))
    const allowed: [string, string][] = []
    fc.assert(
      fc.property(fc.dictionary(name, fc.string({ maxLength: 20 }), { maxKeys: 4 }), (headers) => {
        if (refusal(headers) === 'allowed') allowed.push(...Object.entries(checkHeaders(headers)))
      }),
      { numRuns: 20_000 },
    )
    expect(allowed.length).toBeGreaterThan(100)
    const wrong = allowed.filter(
      ([key, value]) =>
        !/^[\u0021-\u007e]+$/.test(key) || !/^[\u0020-\u007e]+$/.test(value) || /^(host|content-|webhook-)/.test(key),
    )
    expect(wrong).toEqual([])
  })
})
