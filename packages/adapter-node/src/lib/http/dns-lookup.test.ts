import { describe, expect, it, onTestFinished } from 'vitest'
import { type NameRecords, startNameServer } from '../../../test/name-server.ts'
import { createLookup } from './dns-lookup.ts'

const one = (address: string) => ({ address, family: address.includes(':') ? 6 : 4 })

async function rig(answer: (name: string, family: 4 | 6) => NameRecords) {
  const server = await startNameServer(answer)
  onTestFinished(() => server.close())
  const clock = { now: 0 }
  const { lookup, close } = createLookup({ servers: [server.address], monotonic: () => clock.now })
  onTestFinished(close)
  return { server, clock, lookup, close }
}

describe('a look-up', () => {
  it('queries both families concurrently and returns all addresses, IPv4 first', async () => {
    const { lookup, server } = await rig(() => ({ addresses: ['2606:4700::1', '93.184.215.14', '93.184.215.15'] }))
    const found = ['93.184.215.14', '93.184.215.15', '2606:4700::1'].map(one)
    expect(await lookup('hooks.customer.com')).toEqual(found)
    expect(server.questions).toEqual(['hooks.customer.com', 'hooks.customer.com'])
  })

  it.each([0, 1, 604_800])(
    'with a time to live of %i s holds for 5 seconds, no less and no more',
    async (ttlSeconds) => {
      let addresses = ['93.184.215.14']
      const { lookup, clock, server } = await rig(() => ({ addresses, ttlSeconds }))
      expect(await lookup('hooks.customer.com')).toEqual([one('93.184.215.14')])
      addresses = ['127.0.0.1']
      clock.now = 4999
      expect(await lookup('hooks.customer.com.')).toEqual([one('93.184.215.14')])
      expect(server.questions).toHaveLength(2)
      clock.now = 5000
      expect(await lookup('hooks.customer.com')).toEqual([one('127.0.0.1')])
    },
  )

  it('that fails is repeated after a second', async () => {
    let records: NameRecords = null
    const { lookup, clock, server } = await rig(() => records)
    await expect(lookup('new.customer.com')).rejects.toMatchObject({ code: 'ENOTFOUND' })
    records = { addresses: ['93.184.215.14'] }
    clock.now = 999
    await expect(lookup('new.customer.com')).rejects.toMatchObject({ code: 'ENOTFOUND' })
    expect(server.questions).toHaveLength(2)
    clock.now = 1000
    expect(await lookup('new.customer.com')).toEqual([one('93.184.215.14')])
  })

  it('of a name without addresses, or with more than 64, returns none', async () => {
    const many = Array.from({ length: 65 }, (_, n) => `93.184.215.${n}`)
    const { lookup } = await rig((name) => ({ addresses: name.startsWith('many') ? many : [] }))
    expect([await lookup('empty.customer.com'), await lookup('many.customer.com')]).toEqual([[], []])
  })

  it('of a silent name server ends within 4.5 seconds; with one silent family, when the other answers', async () => {
    const { lookup } = await rig((name, family) =>
      name.startsWith('half') && family === 4 ? { addresses: ['93.184.215.14'] } : 'silent',
    )
    const [dead, half] = await Promise.allSettled([lookup('dead.customer.com'), lookup('half.customer.com')])
    expect(dead).toMatchObject({ status: 'rejected', reason: { code: 'ETIMEOUT' } })
    expect(half).toEqual({ status: 'fulfilled', value: [one('93.184.215.14')] })
  })

  it('is cached for a thousand names, and the oldest is dropped first', async () => {
    const { lookup, server } = await rig(() => ({ addresses: ['93.184.215.14'] }))
    for (let n = 0; n < 1001; n++) await lookup(`n${n}.customer.com`)
    expect(server.questions).toHaveLength(2002)
    await lookup('n1.customer.com')
    expect(server.questions).toHaveLength(2002)
    await lookup('n0.customer.com')
    expect(server.questions).toHaveLength(2004)
  })

  it('in flight at close fails, and none starts after', async () => {
    const { lookup, close } = await rig(() => 'silent')
    const under = lookup('dead.customer.com')
    close()
    await expect(under).rejects.toMatchObject({ code: 'ECANCELLED' })
    await expect(lookup('other.customer.com')).rejects.toMatchObject({ code: 'ECANCELLED' })
  })
})
