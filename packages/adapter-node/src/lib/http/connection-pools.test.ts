import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Dispatchers } from './dispatchers.ts'
import { createPools } from './connection-pools.ts'

const MINUTE_MS = 60_000

/** Pools with names as connections, and their states. */
function world() {
  const made: string[] = []
  const closed: string[] = []
  const pools = createPools(({ cert = '' }) => {
    made.push(cert)
    const unused = (): never => expect.unreachable()
    const dispatchers: Dispatchers = {
      current: unused,
      alone: unused,
      connecting: unused,
      close: async () => void closed.push(cert),
    }
    return dispatchers
  })
  const use = (cert: string, work: Promise<unknown> = Promise.resolve()) => pools.run({ cert, key: 'k' }, () => work)
  return { made, closed, pools, use }
}

describe('connection pools', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('are shared for equal TLS material, and separate for any difference', async () => {
    const { made, pools } = world()
    const parts = { cert: 'c', key: 'k', ca: 'a' }
    for (const tls of [parts, { ...parts }, { ...parts, cert: 'd' }, { ...parts, key: 'l' }, { ...parts, ca: 'b' }]) {
      await pools.run(tls, async () => undefined)
    }
    await pools.run({ ca: 'k' }, async () => undefined)
    await pools.run({ key: 'k', cert: '' }, async () => undefined)
    expect(made).toHaveLength(6)
  })

  it('close a minute after their last request, and not while it runs', async () => {
    const { closed, made, use } = world()
    let end = (): void => undefined
    const long = use('a', new Promise<void>((resolve) => (end = resolve)))
    await vi.advanceTimersByTimeAsync(10 * MINUTE_MS)
    expect(closed).toEqual([])
    end()
    await long
    await vi.advanceTimersByTimeAsync(MINUTE_MS - 1)
    await use('a')
    await vi.advanceTimersByTimeAsync(MINUTE_MS - 1)
    expect([closed, made]).toEqual([[], ['a']])
    await vi.advanceTimersByTimeAsync(1)
    expect(closed).toEqual(['a'])
    expect(vi.getTimerCount()).toBe(0)
    await use('a')
    expect(made).toEqual(['a', 'a'])
  })

  it('are at most a hundred: the least recently used closes, unless it is in use', async () => {
    const { closed, use } = world()
    let end = (): void => undefined
    const inUse = use('used', new Promise<void>((resolve) => (end = resolve)))
    for (let n = 1; n < 100; n++) await use(`c${n}`)
    await use('c1')
    expect(closed).toEqual([])
    await use('new')
    expect(closed).toEqual(['c2'])
    end()
    await inUse
  })

  it('stay in use also while requests fail', async () => {
    const { closed, use } = world()
    await expect(use('a', Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(closed).toEqual(['a'])
  })

  it('close with the sender, and leave no timer', async () => {
    const { closed, pools, use } = world()
    await use('a')
    await use('b')
    await pools.close()
    expect([closed, vi.getTimerCount()]).toEqual([['a', 'b'], 0])
  })
})
