import { describe, expect, it } from 'vitest'
import { type EngineOptions, createEngine, silentLogger } from '../src/index.ts'
import { rig } from './rig.ts'

const secrets = 'plaintext-for-development' as const

describe('options', () => {
  it('an engine without a URL policy uses that of its sender', async () => {
    const { db } = await rig()
    const parts = { db, queue: { async send() {} }, secrets, logger: silentLogger }
    const send = async () => ({ kind: 'error', reason: 'network', message: '' }) as const
    const sender = { send, urlPolicy: { allowHttp: true } }
    const make = (options: Partial<EngineOptions>) => createEngine({ ...parts, ...options }).endpoints
    const http = { url: 'http://example.com/' }
    expect(await make({ sender }).create('w', http)).toBeDefined()
    expect(await make({ sender, urlPolicy: { allowHttp: true } }).create('w', http)).toBeDefined()
    expect(await make({ sender: { send }, urlPolicy: { allowHttp: true } }).create('w', http)).toBeDefined()
    await expect(make({ sender: { send } }).create('w', http)).rejects.toMatchObject({ code: 'invalid_endpoint' })
  })

  it('a policy that differs from that of the sender is refused, whichever is wider', async () => {
    const { db } = await rig()
    const parts = { db, queue: { async send() {} }, secrets, logger: silentLogger }
    const send = async () => ({ kind: 'error', reason: 'network', message: '' }) as const
    for (const [urlPolicy, held] of [
      [{ allowHttp: true }, {}],
      [{}, { allowHttp: true }],
    ] as const) {
      const make = () => createEngine({ ...parts, urlPolicy, sender: { send, urlPolicy: held } })
      expect(make).toThrow('urlPolicy must equal the policy of the sender')
      expect(make).toThrow(expect.objectContaining({ code: 'invalid_option' }))
    }
  })

  it.each([
    { deadlineMs: 499 },
    { deadlineMs: 30_001 },
    { deadlineMs: 1.5 },
    { maxDeadlineMs: 1000 },
    { maxDeadlineMs: 30_001 },
    { retrySchedule: [-1] },
    { retrySchedule: [86_401] },
    { retrySchedule: Array(100).fill(1) },
    { retrySchedule: [Number.NaN] },
    { urlPolicy: { allowCidrs: ['x'] } },
  ])('%j is refused when the engine is made', async (options) => {
    const { db } = await rig()
    expect(() => createEngine({ db, queue: { async send() {} }, secrets, ...options })).toThrow(
      expect.objectContaining({ code: 'invalid_option' }),
    )
  })
})
