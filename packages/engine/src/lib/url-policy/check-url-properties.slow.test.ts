import { isIP } from 'node:net'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { createCheckUrl } from './check-url.ts'
import cases from './parsing-cases.json' with { type: 'json' }

const RUNS = 100_000
const checkUrl = createCheckUrl()

const hex = (n: number) => n.toString(16)
const octet = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 10, 127, 169, 172, 192, 254, 255))
const part = fc
  .tuple(octet, fc.nat(3))
  .map(([n, how]) => [String(n), `0x${hex(n)}`, `0${n.toString(8)}`, `%3${n % 10}`][how] ?? '')
const group = fc
  .oneof(fc.nat(0xffff), fc.constantFrom(0, 1, 0x64, 0x2001, 0x2002, 0xdb8, 0xff9b, 0xfe80, 0xffff, 0x3fff))
  .map(hex)
const host = fc.oneof(
  fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.')),
  fc.nat(0xffffffff).map(String),
  fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => `[${groups.join(':')}]`),
  fc.tuple(group, group, group).map(([a, b, c]) => `[${a}::${b}:${c}]`),
  fc.tuple(group, fc.array(part, { minLength: 4, maxLength: 4 })).map(([a, parts]) => `[${a}::${parts.join('.')}]`),
  fc
    .array(fc.constantFrom('example', 'com', 'localhost', 'internal', 'a', 'xn--', '1', '', 'ⓔ', 'com。'), {
      maxLength: 4,
    })
    .map((labels) => labels.join('.')),
  fc.string({ maxLength: 12 }),
)
const url = fc
  .tuple(
    fc.constantFrom(
      'https://',
      'https://',
      'https://',
      'https:',
      'https:\\\\',
      'HTTPS://',
      'http://',
      'blob:https://',
      'file://',
      ' https://',
    ),
    fc.constantFrom('', '', '', '', 'u@', 'u:p@', '@', 'example.com%2f@', 'example.com#@'),
    host,
    fc.constantFrom('', '', '', '.', ':443', ':8443', ':80', ':0', ':', ':65536', '%2e'),
    fc.constantFrom('', '/', '/a?b#c', '\\@10.0.0.1', '?@example.com', '#@example.com', '/\n', '/\t', '//'),
  )
  .map((parts) => parts.join(''))

// One of each range that ipaddr.js calls special and that chance finds once in many runs.
const SPECIAL: [string][] = ['192.31.196.0', '192.52.193.0', '192.175.48.0', '[2620:4f:8000::1]'].map((of) => [
  `https://${of}`,
])

/** How the text violates the property, or undefined. */
function wrong(text: string): string | undefined {
  const check = checkUrl(text)
  const again = URL.canParse(text) ? checkUrl(new URL(text).href) : undefined
  if (!check.ok) {
    // A refused URL is refused in its normalised form too, unless the spelling itself is the reason.
    return check.reason !== 'invalid_url' && again?.ok !== false
      ? `refused as ${check.reason}, its href is not`
      : undefined
  }
  const { protocol, username, password, port, hostname, href } = check.url
  if (!again?.ok || again.url.href !== href || again.host !== check.host) return 'another result for its href'
  if (protocol !== 'https:' || username !== '' || password !== '') return 'scheme or credentials'
  if (port !== '' && port !== '8443') return `port ${port}`
  const bare = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if ((isIP(bare) !== 0) !== (check.host === 'address')) return `${hostname} is called a ${check.host}`
  if (isIP(bare) === 0) return /^[^.]+(\.[^.]+)+$/.test(bare) ? undefined : `${hostname} is no name of several labels`
  const range = ipaddr.process(bare).range()
  return range === 'unicast' ? undefined : `${hostname} is ${range}`
}

describe('any URL', { timeout: 60_000 }, () => {
  it('is checked without an exception, like its normalised form, and leads to no address that ipaddr.js calls special (trap 32)', () => {
    let accepted = 0
    fc.assert(
      fc.property(url, (text) => {
        const reason = wrong(text)
        if (checkUrl(text).ok) accepted++
        if (reason !== undefined) throw new Error(`${JSON.stringify(text)}: ${reason}`)
      }),
      { numRuns: RUNS, examples: SPECIAL },
    )
    // Enough of both: a check that accepts nothing would prove nothing.
    expect(accepted).toBeGreaterThan(RUNS / 100)
    expect(accepted).toBeLessThan(RUNS / 2)
  })

  it.each(cases.urls)('%j: %s', (text = '', expected) => {
    const check = checkUrl(text)
    expect(check.ok ? 'ok' : check.reason).toBe(expected)
    expect(wrong(text)).toBeUndefined()
  })
})
