import dns from 'node:dns'
import net from 'node:net'
import { expect, it, vi } from 'vitest'
import { openEngine } from './open-engine.ts'

it('no attempt opens a socket, resolves a name or calls fetch, whatever the URL', async () => {
  const touched: string[] = []
  const refuse = (what: string) => (): never => {
    touched.push(what)
    throw new Error(`${what} in a test`)
  }
  const spies = [
    vi.spyOn(net.Socket.prototype, 'connect').mockImplementation(refuse('connect')),
    vi.spyOn(dns, 'lookup').mockImplementation(refuse('lookup')),
    vi.spyOn(globalThis, 'fetch').mockImplementation(refuse('fetch')),
  ]
  try {
    // The spies see a connection.
    expect(() => net.connect(9)).toThrow('connect in a test')
    touched.length = 0
    const engine = await openEngine({ development: true })
    for (const url of ['https://hooks.example.com/', 'http://localhost:9/', 'https://no-such-host.example.com:8443/'])
      await engine.endpoints.create('w1', { url })
    await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    engine.receiver.answer(['timeout', 'dns', 'connect', 200])
    expect(await engine.deliverAll()).toMatchObject({ attempts: 12, delivered: 3 })
    expect(touched).toEqual([])
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
})

it('an endpoint with a URL that the policy refuses is refused as in production', async () => {
  const engine = await openEngine()
  for (const url of ['http://localhost:9/', 'https://10.0.0.1/'])
    await expect(engine.endpoints.create('w1', { url })).rejects.toMatchObject({ code: 'invalid_endpoint' })
})
