import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import cases from '../../../../test/ssrf-cases.json' with { type: 'json' }
import { isAddress, isAllowedAddress, judgeAddress, parseCidr } from './address.ts'
import { createCheckUrl } from './check-url.ts'

interface Case {
  url: string
  stage: 'url' | 'address' | 'dns' | 'connect' | 'redirect'
  verdict: 'allow' | 'block'
  why: string
  canonicalHost: string | null
  resolvesTo?: string[]
}

const all = cases as Case[]
const checkUrl = createCheckUrl()
const hostOf = ({ canonicalHost }: Case): string => canonicalHost ?? ''

// A name's addresses are judged where they are resolved; a redirect is judged by the verdict, which follows none.
const byUrl = all.filter((one) => one.stage === 'url' || (one.stage === 'address' && one.resolvesTo === undefined))
const byConnector = all.filter((one) => !byUrl.includes(one))

describe('the cases that a URL alone decides', () => {
  it.each(byUrl)('$verdict $url ($why)', ({ url, verdict, canonicalHost }) => {
    const check = checkUrl(url)
    expect(check.ok ? check.url.hostname : 'refused').toBe(verdict === 'allow' ? canonicalHost : 'refused')
  })

  it.each(byUrl.filter((one) => one.stage === 'address' && isAddress(hostOf(one))))(
    '$verdict the address $canonicalHost by itself, as the connector will',
    (one) => {
      expect(isAllowedAddress(hostOf(one))).toBe(one.verdict === 'allow')
    },
  )
})

describe('the cases that the connector or the verdict decides', () => {
  it.each(byConnector.filter((one) => one.resolvesTo && one.stage === 'address'))(
    '$verdict $url by the addresses it resolves to ($why)',
    ({ resolvesTo = [], verdict }) => {
      const reachable = resolvesTo.length > 0 && resolvesTo.every((address) => isAllowedAddress(address))
      expect(reachable).toBe(verdict === 'allow')
    },
  )

  it.each(byConnector.filter((one) => one.stage !== 'address'))(
    '$stage: $url passes the URL stage ($why)',
    ({ url }) => {
      expect(checkUrl(url).ok).toBe(true)
    },
  )
})

it('no case is left out: so many are judged by the URL, so many by the connector', () => {
  const count = (some: readonly Case[], verdict: Case['verdict']) =>
    some.filter((one) => one.verdict === verdict).length
  const table = {
    byUrl: { allow: count(byUrl, 'allow'), block: count(byUrl, 'block') },
    byConnector: { allow: count(byConnector, 'allow'), block: count(byConnector, 'block') },
  }
  expect(table).toEqual({ byUrl: { allow: 33, block: 129 }, byConnector: { allow: 4, block: 23 } })
  expect(byUrl.length + byConnector.length).toBe(all.length)
})

describe('what an operator opens', () => {
  const check = (policy: Parameters<typeof createCheckUrl>[0], url: string) => {
    const checked = createCheckUrl(policy)(url)
    return checked.ok ? 'ok' : checked.reason
  }

  it('http is refused, unless it is allowed; then port 80 comes with it and nothing else', () => {
    expect(check({}, 'http://example.com/')).toBe('scheme')
    const open = { allowHttp: true }
    expect(
      ['http://example.com/', 'https://example.com/', 'http://example.com:443/'].map((url) => check(open, url)),
    ).toEqual(['ok', 'ok', 'ok'])
    expect(check(open, 'http://example.com:8080/')).toBe('port')
    expect(check(open, 'http://127.0.0.1/')).toBe('blocked_address')
    expect(check(open, 'ftp://example.com/')).toBe('scheme')
  })

  it('a host by name, whatever its case or its last dot, and no other', () => {
    const open = { allowHosts: ['Hooks.Internal', 'localhost', '10.0.0.7', '[::1]', 'trailing.internal.'] }
    for (const host of [
      'hooks.internal',
      'HOOKS.internal.',
      'localhost',
      '10.0.0.7',
      '0xa.7',
      '[::1]',
      'trailing.internal',
    ]) {
      expect(check(open, `https://${host}/`), host).toBe('ok')
    }
    for (const host of ['x.hooks.internal', 'hooks.internal.example', '10.0.0.8', '[::2]', '127.0.0.1']) {
      expect(check(open, `https://${host}/`), host).toBe('blocked_address')
    }
  })

  it('an IPv6 address by its text, with brackets or without', () => {
    for (const host of ['::1', '[::1]', '0:0:0:0:0:0:0:1'])
      expect(check({ allowHosts: [host] }, 'https://[::1]/')).toBe('ok')
  })

  it('a range of addresses, of either family, and nothing outside it', () => {
    const open = { allowCidrs: ['10.1.0.0/16', 'fd00:1::/32'] }
    for (const host of ['10.1.0.0', '10.1.255.255', '[fd00:1::5]', '[::ffff:10.1.2.3]', '0x0a010203']) {
      expect(check(open, `https://${host}/`), host).toBe('ok')
    }
    for (const host of ['10.0.255.255', '10.2.0.0', '[fd00:2::]', '127.0.0.1']) {
      expect(check(open, `https://${host}/`), host).toBe('blocked_address')
    }
    expect(isAllowedAddress('10.1.2.3', [parseCidr('10.1.0.0/16')])).toBe(true)
  })

  it('and an address is known as public by itself, as opened, or as refused', () => {
    const opened = [parseCidr('10.1.0.0/16'), parseCidr('93.184.216.0/24')]
    const addresses = ['93.184.215.14', '93.184.216.1', '::ffff:10.1.2.3', '10.2.0.0', 'hooks.customer.com']
    expect(addresses.map((address) => judgeAddress(address, opened))).toEqual([
      'public',
      'opened',
      'opened',
      'refused',
      'refused',
    ])
  })

  it('whoever connects is told what is left to judge: a name, an address, or nothing', () => {
    const open = createCheckUrl({ allowHosts: ['hooks.internal', '10.0.0.7'] })
    const hosts = ['example.com', '93.184.215.14', '[2606:4700::1]', 'hooks.internal.', '10.0.0.7']
    const left = hosts.map((host) => open(`https://${host}/`)).map((checked) => checked.ok && checked.host)
    expect(left).toEqual(['name', 'address', 'address', 'opened', 'opened'])
  })

  it('ports by number, or any', () => {
    expect(check({}, 'https://example.com:9443/')).toBe('port')
    expect(check({ allowPorts: [9443] }, 'https://example.com:9443/')).toBe('ok')
    expect(check({ allowPorts: [9443] }, 'https://example.com/')).toBe('port')
    expect(check({ allowPorts: 'any' }, 'https://example.com:1/')).toBe('ok')
    expect(check({ allowHttp: true, allowPorts: [80] }, 'http://example.com/')).toBe('ok')
  })

  it('an allowed host still needs an allowed scheme and port, and no password', () => {
    const open = { allowHosts: ['localhost'] }
    const urls = ['http://localhost/', 'https://localhost:3000/', 'https://a:b@localhost/', 'https://localhost/']
    expect(urls.map((url) => check(open, url))).toEqual(['scheme', 'port', 'credentials', 'ok'])
  })

  it.each(['', 'https://hooks.internal', 'hooks.internal:8080', 'hooks.internal/x', 'a b', '[::1'])(
    '%j is no host, which is said at once',
    (host) => {
      expect(() => createCheckUrl({ allowHosts: [host] })).toThrow(expect.objectContaining({ code: 'invalid_option' }))
    },
  )

  it.each(['10.0.0.0', '10.0.0.0/33', 'ten/8', '', 'fd00::/129'])('%j is no range, which is said at once', (cidr) => {
    expect(() => createCheckUrl({ allowCidrs: [cidr] })).toThrow(expect.objectContaining({ code: 'invalid_option' }))
  })
})

describe('any text', () => {
  it('gets an answer, never an exception', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.webUrl(),
      fc.string().map((rest) => `https://${rest}`),
    )
    fc.assert(
      fc.property(text, (url) => {
        const check = checkUrl(url)
        expect(check.ok ? check.url.protocol + check.url.username : typeof check.message).toBeOneOf([
          'https:',
          'string',
        ])
      }),
      { numRuns: 200 },
    )
  })

  it('of more than 2,048 characters, or with a control character, is no URL', () => {
    expect(checkUrl(`https://example.com/${'x'.repeat(2028)}`).ok).toBe(true)
    const long = `https://example.com/${'x'.repeat(2029)}`
    for (const url of [long, 'https://exam\tple.com/', 'https://example.com/\n', 'https://example.com/\0', '/hooks']) {
      expect(checkUrl(url)).toMatchObject({ ok: false, reason: 'invalid_url' })
    }
  })

  it('a refusal for an address names no address', () => {
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

it('a private address is refused however it is spelt (trap 32)', () => {
  fc.assert(
    fc.property(privateIpv4, (address) => {
      for (const host of spellings(address)) expect(checkUrl(`https://${host}/`).ok, host).toBe(false)
    }),
  )
})

it('the same spellings of a public address are let through, save those inside IPv6 tunnels', () => {
  const passed = spellings([93, 184, 215, 14]).filter((host) => checkUrl(`https://${host}/`).ok)
  expect(passed).toEqual(spellings([93, 184, 215, 14]).slice(0, 15))
})

it('an IPv6 address outside 2000::/3 is refused, whatever it is', () => {
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
    expect(isAllowedAddress(text)).toBe(false)
  },
)
