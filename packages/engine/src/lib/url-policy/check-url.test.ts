import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import cases from '../../../../../test/ssrf-cases.json' with { type: 'json' }
import { isAddress, isPublicAddress } from './address.ts'
import { createCheckUrl } from './check-url.ts'

interface Case {
  url: string
  stage: 'url' | 'address' | 'dns' | 'connect' | 'redirect'
  expected: 'allow' | 'block'
  why: string
  canonicalHost: string | null
  resolvesTo?: string[]
}

const all = cases as Case[]
const checkUrl = createCheckUrl()
const hostOf = ({ canonicalHost }: Case): string => canonicalHost ?? ''

// The addresses of a name are checked when they are resolved; redirects are not followed.
const byUrl = all.filter((one) => one.stage === 'url' || (one.stage === 'address' && one.resolvesTo === undefined))
const byConnector = all.filter((one) => !byUrl.includes(one))

describe('the cases that a URL alone decides', () => {
  it.each(byUrl)('$expected $url ($why)', ({ url, expected, canonicalHost }) => {
    const check = checkUrl(url)
    expect(check.ok ? check.url.hostname : 'refused').toBe(expected === 'allow' ? canonicalHost : 'refused')
  })

  it.each(byUrl.filter((one) => one.stage === 'address' && isAddress(hostOf(one))))(
    '$expected the address $canonicalHost by itself, as the connector will',
    (one) => {
      expect(isPublicAddress(hostOf(one))).toBe(one.expected === 'allow')
    },
  )
})

describe('the cases that the connector decides', () => {
  it.each(byConnector.filter((one) => one.resolvesTo && one.stage === 'address'))(
    '$expected $url by the addresses it resolves to ($why)',
    ({ resolvesTo = [], expected }) => {
      const reachable = resolvesTo.length > 0 && resolvesTo.every((address) => isPublicAddress(address))
      expect(reachable).toBe(expected === 'allow')
    },
  )

  it.each(byConnector.filter((one) => one.stage !== 'address'))(
    '$stage: $url passes the URL stage ($why)',
    ({ url }) => {
      expect(checkUrl(url).ok).toBe(true)
    },
  )
})

it('covers every case, by the URL or by the connector', () => {
  const count = (some: readonly Case[], expected: Case['expected']) =>
    some.filter((one) => one.expected === expected).length
  const table = {
    byUrl: { allow: count(byUrl, 'allow'), block: count(byUrl, 'block') },
    byConnector: { allow: count(byConnector, 'allow'), block: count(byConnector, 'block') },
  }
  expect(table).toEqual({ byUrl: { allow: 33, block: 129 }, byConnector: { allow: 4, block: 23 } })
  expect(byUrl.length + byConnector.length).toBe(all.length)
})

describe('any text', () => {
  it('of more than 2,048 characters or with a control character is not a URL', () => {
    expect(checkUrl(`https://example.com/${'x'.repeat(2028)}`).ok).toBe(true)
    const long = `https://example.com/${'x'.repeat(2029)}`
    for (const url of [long, 'https://exam\tple.com/', 'https://example.com/\n', 'https://example.com/\0', '/hooks']) {
      expect(checkUrl(url)).toMatchObject({ ok: false, reason: 'invalid_url' })
    }
  })

  it('a refused address is not named in the message', () => {
    expect(checkUrl('https://10.0.0.1/')).toEqual({
      ok: false,
      reason: 'blocked_address',
      message: 'address not allowed',
    })
  })
})

const octet = fc.nat(255)
const privateIpv4 = fc.oneof(
  fc.tuple(fc.constantFrom(0, 10, 127), octet, octet, octet),
  fc.tuple(fc.constant(192), fc.constant(168), octet, octet),
  fc.tuple(fc.constant(169), fc.constant(254), octet, octet),
  fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), octet, octet),
  fc.tuple(fc.constant(100), fc.integer({ min: 64, max: 127 }), octet, octet),
)

/** Ways in which a URL can spell one IPv4 address. */
function spellings([a, b, c, d]: [number, number, number, number]): string[] {
  const whole = ((a * 256 + b) * 256 + c) * 256 + d
  const hex = (n: number) => `0x${n.toString(16)}`
  const octal = (n: number) => `0${n.toString(8)}`
  const dotted = `${a}.${b}.${c}.${d}`
  const percent = (text: string) => text.replace(/./g, (one) => `%${one.charCodeAt(0).toString(16)}`)
  const wide = (text: string) => text.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)))
  const group = (high: number, low: number) => (high * 256 + low).toString(16)
  return [
    dotted,
    `${dotted}.`,
    String(whole),
    hex(whole),
    octal(whole),
    [a, b, c, d].map(hex).join('.'),
    [a, b, c, d].map(octal).join('.'),
    `${a}.${b}.${c * 256 + d}`,
    `${a}.${(b * 256 + c) * 256 + d}`,
    `${hex(a)}.${octal(b)}.${c}.${d}`,
    percent(dotted),
    wide(dotted),
    dotted.replaceAll('.', '。'),
    `[::ffff:${dotted}]`,
    `[::ffff:${group(a, b)}:${group(c, d)}]`,
    `[::${dotted}]`,
    `[64:ff9b::${dotted}]`,
    `[2002:${group(a, b)}:${group(c, d)}::1]`,
    `[::ffff:0:${dotted}]`,
  ]
}

it('a private address is refused in every spelling (trap 32)', () => {
  fc.assert(
    fc.property(privateIpv4, (address) => {
      for (const host of spellings(address)) expect(checkUrl(`https://${host}/`).ok, host).toBe(false)
    }),
  )
})

it('the same spellings of a public address are allowed, except inside IPv6 tunnels', () => {
  const passed = spellings([93, 184, 215, 14]).filter((host) => checkUrl(`https://${host}/`).ok)
  expect(passed).toEqual(spellings([93, 184, 215, 14]).slice(0, 15))
})

it('every IPv6 address outside 2000::/3 is refused', () => {
  const group = fc.nat(0xffff)
  const first = group.filter((n) => n < 0x2000 || n > 0x3fff)
  fc.assert(
    fc.property(first, fc.array(group, { minLength: 7, maxLength: 7 }), (head, rest) => {
      const host = [head, ...rest].map((n) => n.toString(16)).join(':')
      expect(checkUrl(`https://[${host}]/`).ok, host).toBe(false)
    }),
  )
})

it.each(['', 'example.com', '999.1.1.1', 'localhost', 'fe80::1%eth0'])(
  '%j is no address that may be sent to',
  (text) => {
    expect(isPublicAddress(text)).toBe(false)
  },
)

describe('a character that RFC 3986 does not allow in a path or a query', () => {
  it.each([
    ['/hook?filter=a|b&x={y}', '/hook?filter=a%7Cb&x=%7By%7D'],
    ['/[x]^`{}?a[]=1&b="<>\\', '/%5Bx%5D%5E%60%7B%7D?a%5B%5D=1&b=%22%3C%3E%5C'],
    ['/100%?rate=5%&of=%zz', '/100%25?rate=5%25&of=%25zz'],
    ['/%7Bid%7D?x=%7c', '/%7Bid%7D?x=%7c'],
    ['/a b/ä?q=ü 1', '/a%20b/%C3%A4?q=%C3%BC%201'],
    ["/it's?(ok)=*!$&',;:@", "/it's?(ok)=*!$&%27,;:@"],
  ])('%s is sent as %s', (given, sent) => {
    const check = checkUrl(`https://hooks.customer.com${given}`)
    expect(check.ok && check.url.href).toBe(`https://hooks.customer.com${sent}`)
  })

  it('is percent-encoded, and the URL keeps its meaning', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (path, query) => {
        const plain = new URL('https://hooks.customer.com')
        plain.pathname = path
        plain.search = query
        const check = checkUrl(plain.href)
        if (!check.ok) return
        expect(check.url.pathname + check.url.search).toMatch(/^(?:[\w.~!$&'()*+,;=:@/?-]|%[\da-f]{2})*$/i)
        const again = checkUrl(check.url.href)
        expect(again.ok && again.url.href).toBe(check.url.href)
      }),
    )
  })
})
