import type { UrlPolicy } from '@keepsend/engine'
import { describe, expect, it } from 'vitest'
import { attempt, notingSockets } from '../../../test/noting-sockets.ts'
import { createGuard } from './ssrf-guard.ts'
import { createOwnAddresses } from './own-addresses.ts'

describe("this machine's own addresses", () => {
  const guardWith = (urlPolicy: UrlPolicy, connectedTo: string[]) =>
    createGuard({
      urlPolicy,
      lookup: async () => [{ address: '93.184.216.99', family: 4 }],
      isOwn: createOwnAddresses({ read: () => ['127.0.0.1', '::1', '93.184.216.99', '2a00:1450::99'] }),
      connectTimeoutMs: 1000,
      build: notingSockets(connectedTo),
    })

  it('are refused, public or not, in every spelling, unless allowCidrs contains them', async () => {
    const connectedTo: string[] = []
    const guard = guardWith({}, connectedTo)
    for (const host of [
      '93.184.216.99',
      'own.customer.com',
      '[2a00:1450:0:0::0.0.0.153]',
      '[::ffff:93.184.216.99]',
      '1572395107',
    ]) {
      expect((await attempt(guard, `https://${host}/`))?.message, host).toBe('address not allowed')
    }
    expect(connectedTo).toEqual([])
    await attempt(guard, 'https://93.184.216.98/')
    await attempt(guardWith({ allowCidrs: ['93.184.216.99/32'] }, connectedTo), 'https://93.184.216.99/')
    expect(connectedTo).toEqual(['93.184.216.98', '93.184.216.99'])
  })

  it('are read again after 5 seconds', () => {
    let [now, addresses] = [0, ['93.184.216.99']]
    const isOwn = createOwnAddresses({ read: () => addresses, monotonic: () => now })
    expect(isOwn('93.184.216.99')).toBe(true)
    addresses = ['93.184.216.100']
    now = 4999
    expect([isOwn('93.184.216.99'), isOwn('93.184.216.100')]).toEqual([true, false])
    now = 5000
    expect([isOwn('93.184.216.99'), isOwn('93.184.216.100')]).toEqual([false, true])
  })

  it('are all addresses if the interfaces cannot be read', () => {
    const isOwn = createOwnAddresses({
      read: () => {
        throw new Error('not permitted')
      },
    })
    expect(isOwn('93.184.215.14')).toBe(true)
  })

  it('are those of the system’s interfaces', () => {
    expect(createOwnAddresses()('127.0.0.1')).toBe(true)
    expect(createOwnAddresses()('93.184.215.14')).toBe(false)
  })
})
