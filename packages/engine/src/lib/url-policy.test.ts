import { describe, expect, it } from 'vitest'
import cases from '../../../../test/ssrf-cases.json' with { type: 'json' }
import { classifyAddress, isPublicAddress, parseCidr } from './url-policy/address.ts'
import { type UrlPolicy, createCheckUrl } from './url-policy/check-url.ts'

describe('the URL policy of an operator', () => {
  const check = (policy: Parameters<typeof createCheckUrl>[0], url: string) => {
    const checked = createCheckUrl(policy)(url)
    return checked.ok ? 'ok' : checked.reason
  }

  it('allows http and port 80, and nothing else, with allowHttp; by default http is refused', () => {
    expect(check({}, 'http://example.com/')).toBe('scheme')
    const open = { allowHttp: true }
    expect(
      ['http://example.com/', 'https://example.com/', 'http://example.com:443/'].map((url) => check(open, url)),
    ).toEqual(['ok', 'ok', 'ok'])
    expect(check(open, 'http://example.com:8080/')).toBe('port')
    expect(check(open, 'http://127.0.0.1/')).toBe('blocked_address')
    expect(check(open, 'ftp://example.com/')).toBe('scheme')
  })

  it('allows a host by name, in any case and with or without the final dot, and no other host', () => {
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

  it('denies a host in every spelling, whatever else it allows', () => {
    const shut = {
      allowHosts: ['app.example.com', '93.184.215.14'],
      denyHosts: ['App.example.com', '*.own.net', '*-api.acme.workers.dev', '93.184.215.14', 'bücher.com'],
    }
    for (const host of [
      'app.example.com',
      'APP.EXAMPLE.COM.',
      'app%2Eexample.com',
      'a.own.net',
      'a.b.own.net.',
      '4c1d-api.acme.workers.dev',
      '0x5db8d70e',
      'xn--bcher-kva.com',
    ]) {
      expect(check(shut, `https://${host}/`), host).toBe('blocked_address')
    }
    for (const host of ['own.net', 'notown.net', 'x.app.example.com', 'api.acme.workers.dev', '93.184.215.15']) {
      expect(check(shut, `https://${host}/`), host).toBe('ok')
    }
    for (const host of ['', 'https://own.net', 'own.net:443', 'a b'])
      expect(() => createCheckUrl({ denyHosts: [host] }), host).toThrow(/urlPolicy\.denyHosts/)
  })

  it('denies an IPv4 address inside IPv6 too', () => {
    const shut = { denyHosts: ['93.184.215.14'] }
    for (const host of ['93.184.215.14', '[::ffff:93.184.215.14]', '[::ffff:5db8:d70e]']) {
      expect(check(shut, `https://${host}/`), host).toBe('blocked_address')
    }
  })

  it('denies an address or range in every spelling, even if a range or the host itself is allowed', () => {
    const shut = {
      allowCidrs: ['10.0.0.0/8'],
      allowHosts: ['10.0.0.7'],
      denyHosts: [
        '93.184.215.14',
        '93.184.216.0/24',
        '10.0.0.7',
        '10.9.0.0/16',
        '2606:4700:4700::/48',
        '::ffff:8.8.8.0/120',
      ],
    }
    for (const host of [
      '93.184.215.14',
      '0x5db8d70e',
      '[::ffff:93.184.215.14]',
      '[::ffff:5db8:d70e]',
      '93.184.216.255',
      '[::ffff:93.184.216.1]',
      '10.0.0.7',
      '[::ffff:10.0.0.7]',
      '10.9.1.2',
      '[2606:4700:4700::1111]',
      '[2606:4700:4700:0:0:0:0:1111]',
      '8.8.8.8',
    ]) {
      expect(check(shut, `https://${host}/`), host).toBe('blocked_address')
    }
    for (const host of ['93.184.215.15', '93.184.217.0', '10.0.0.8', '[2606:4700:4701::1]', '8.8.9.8']) {
      expect(check(shut, `https://${host}/`), host).toBe('ok')
    }
    for (const range of ['93.184.216.0/33', 'fd00::/129']) {
      expect(() => createCheckUrl({ denyHosts: [range] }), range).toThrow(`urlPolicy.denyHosts must hold ranges`)
    }
  })

  it('allows an IPv6 address by its text, with or without brackets', () => {
    for (const host of ['::1', '[::1]', '0:0:0:0:0:0:0:1'])
      expect(check({ allowHosts: [host] }, 'https://[::1]/')).toBe('ok')
  })

  it('allows a range of addresses of either family, and nothing outside it', () => {
    const open = { allowCidrs: ['::ffff:10.1.0.0/112', 'fd00:1::/32'] }
    for (const host of ['10.1.0.0', '10.1.255.255', '[fd00:1::5]', '[::ffff:10.1.2.3]', '0x0a010203']) {
      expect(check(open, `https://${host}/`), host).toBe('ok')
    }
    for (const host of ['10.0.255.255', '10.2.0.0', '[fd00:2::]', '127.0.0.1']) {
      expect(check(open, `https://${host}/`), host).toBe('blocked_address')
    }
    expect(isPublicAddress('10.1.2.3', [parseCidr('10.1.0.0/16')])).toBe(true)
  })

  it('classifies an address as public, opened or refused', () => {
    const opened = [parseCidr('10.1.0.0/16'), parseCidr('93.184.216.0/24')]
    const addresses = ['93.184.215.14', '93.184.216.1', '::ffff:10.1.2.3', '10.2.0.0', 'hooks.customer.com']
    expect(addresses.map((address) => classifyAddress(address, opened))).toEqual([
      'public',
      'opened',
      'opened',
      'refused',
      'refused',
    ])
  })

  it('tells the sender what to check when it connects: a name, an address, or nothing', () => {
    const open = createCheckUrl({ allowHosts: ['hooks.internal', '10.0.0.7'] })
    const hosts = ['example.com', '93.184.215.14', '[2606:4700::1]', 'hooks.internal.', '10.0.0.7']
    const left = hosts.map((host) => open(`https://${host}/`)).map((checked) => checked.ok && checked.host)
    expect(left).toEqual(['name', 'address', 'address', 'opened', 'opened'])
  })

  it('allows ports by number, or any port', () => {
    expect(check({}, 'https://example.com:9443/')).toBe('port')
    expect(check({ allowPorts: [9443] }, 'https://example.com:9443/')).toBe('ok')
    expect(check({ allowPorts: [9443] }, 'https://example.com/')).toBe('port')
    expect(check({ allowPorts: 'any' }, 'https://example.com:1/')).toBe('ok')
    expect(check({ allowHttp: true, allowPorts: [80] }, 'http://example.com/')).toBe('ok')
  })

  it('requires an allowed scheme and port, and no password, of an allowed host too', () => {
    const open = { allowHosts: ['localhost'] }
    const urls = ['http://localhost/', 'https://localhost:3000/', 'https://a:b@localhost/', 'https://localhost/']
    expect(urls.map((url) => check(open, url))).toEqual(['scheme', 'port', 'credentials', 'ok'])
  })

  it.each(['', 'https://hooks.internal', 'hooks.internal:8080', 'hooks.internal/x', 'a b', '[::1'])(
    'refuses %j, which is no host, when it is created',
    (host) => {
      expect(() => createCheckUrl({ allowHosts: [host] })).toThrow(expect.objectContaining({ code: 'invalid_option' }))
    },
  )

  it.each(['10.0.0.0', '10.0.0.0/33', 'ten/8', '', 'fd00::/129'])(
    'refuses %j, which is no range, when it is created',
    (cidr) => {
      expect(() => createCheckUrl({ allowCidrs: [cidr] })).toThrow(expect.objectContaining({ code: 'invalid_option' }))
    },
  )
})

describe('what development opens', () => {
  const check = (url: string, policy: UrlPolicy = {}) => {
    const checked = createCheckUrl(policy, { allowLoopback: true })(url)
    return checked.ok ? checked.host : checked.reason
  }
  const LOOPBACK = [
    'http://localhost/',
    'http://LOCALHOST.:4000/hooks',
    'https://localhost/',
    'http://127.0.0.1:65535/',
    'https://127.255.255.254:1/',
    'http://0x7f.1:3000/',
    'http://[::1]:4000/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://[::ffff:127.0.0.1]:4000/',
  ]

  it('is http and https to any port of the loopback interface', () => {
    for (const url of LOOPBACK) expect(check(url), url).toBe('loopback')
  })

  it.each([undefined, false])('is nothing when allowLoopback is %s', (allowLoopback) => {
    for (const url of LOOPBACK) expect(createCheckUrl({}, { allowLoopback })(url).ok, url).toBe(false)
  })

  it.each([
    ['http://example.com/', 'scheme'],
    ['http://10.0.0.1/', 'scheme'],
    ['https://10.0.0.1/', 'blocked_address'],
    ['http://169.254.169.254/', 'scheme'],
    ['https://169.254.169.254/', 'blocked_address'],
    ['https://192.168.0.1/', 'blocked_address'],
    ['https://0.0.0.0/', 'blocked_address'],
    ['https://[::]/', 'blocked_address'],
    ['https://[::2]/', 'blocked_address'],
    ['https://[::ffff:10.0.0.1]/', 'blocked_address'],
    ['https://[fd00::1]/', 'blocked_address'],
    ['https://app.localhost/', 'blocked_address'],
    ['https://localhost.localdomain/', 'name'],
    ['https://localhost../', 'blocked_address'],
    ['https://router.lan/', 'blocked_address'],
    ['https://example.com:4000/', 'port'],
    ['https://example.com/', 'name'],
    ['ftp://localhost/', 'scheme'],
    ['ws://localhost/', 'scheme'],
    ['http://user:password@localhost/', 'credentials'],
  ])('is nothing else: %s is still %s', (url, expected) => {
    expect(check(url)).toBe(expected)
  })

  it('changes the answer for no other URL that has ever been tried against the guard', () => {
    const strict = createCheckUrl()
    const open = createCheckUrl({}, { allowLoopback: true })
    const changed = cases.filter(({ url }) => strict(url).ok !== open(url).ok)
    expect(changed.length).toBeGreaterThan(10)
    for (const { url } of changed) expect(check(url), url).toBe('loopback')
  })

  it('adds to the policy, and is refused by denyHosts', () => {
    const policy = { allowHosts: ['receiver'], allowCidrs: ['10.1.0.0/16'], allowPorts: [4000], allowHttp: true }
    expect(
      ['http://receiver:4000/', 'http://10.1.0.1:4000/', 'http://localhost:5000/'].map((url) => check(url, policy)),
    ).toEqual(['opened', 'address', 'loopback'])
    for (const denied of ['localhost', '127.0.0.1', '127.0.0.0/8', '[::1]']) {
      const refused = LOOPBACK.filter((url) => check(url, { denyHosts: [denied] }) === 'blocked_address')
      expect(refused.length, denied).toBeGreaterThan(0)
    }
  })

  it('is named in the refusal of http to another host', () => {
    expect(createCheckUrl({}, { allowLoopback: true })('http://example.com/')).toMatchObject({
      message: 'url must begin with https://, or http:// on a loopback address; found http://',
    })
  })
})
