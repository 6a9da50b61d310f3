import type { Socket } from 'node:net'
import type { SendResult } from '@keepsend/engine'
import { describe, expect, it, onTestFinished } from 'vitest'
import { NodeAdapterError } from '../src/index.ts'
import { startNameServer } from './name-server.ts'
import { startProxy } from './proxy.ts'
import { newSender, post, startRawReceiver } from './raw-receiver.ts'
import { type Request, startReceiver } from './receiver.ts'
import { LOOPBACK, PATIENCE_MS, signal, until } from './rig.ts'

const statusOf = (result: SendResult) => (result.kind === 'response' ? result.status : result.reason)

/** Answers 127.0.0.1 for every name except those that start with `dead`, for which it is silent. */
async function namesOfTheLiving() {
  const server = await startNameServer((name) => (name.startsWith('dead') ? 'silent' : { addresses: ['127.0.0.1'] }))
  onTestFinished(() => server.close())
  return server
}

describe('names on a silent name server', { timeout: PATIENCE_MS }, () => {
  it('count their look-up in the deadline', async () => {
    const { address } = await namesOfTheLiving()
    const result = await newSender({ dnsServers: [address] }).send(
      post('http://dead.customer.com/', { deadlineMs: 300 }),
    )
    expect(result).toEqual({ kind: 'error', reason: 'timeout', message: 'no complete answer within 300 ms' })
  })

  it('delay no others: a healthy name is answered while eight dead ones are looked up', async () => {
    const receiver = await startReceiver()
    const names = await namesOfTheLiving()
    const sender = newSender({ dnsServers: [names.address] })
    const port = new URL(receiver.url).port
    let ended = 0
    const dead = Array.from({ length: 8 }, async (_, n) => {
      const result = await sender.send(post(`http://dead${n}.customer.com:${port}/`))
      ended++
      return statusOf(result)
    })
    await expect.poll(() => names.questions.length, { timeout: PATIENCE_MS }).toBeGreaterThanOrEqual(16)
    for (const name of ['one', 'two', 'three']) {
      expect(statusOf(await sender.send(post(`http://${name}.customer.com:${port}/`)))).toBe(200)
    }
    expect(ended).toBe(0)
    await sender.close()
    expect(await Promise.all(dead)).toEqual(dead.map(() => 'network'))
  })
})

describe('a connection', { timeout: PATIENCE_MS }, () => {
  it('takes no requests after its life: then another is made and checked', async () => {
    const raw = await startRawReceiver((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    const sender = newSender({ connectionLifeMs: 100, keepAliveMs: 60_000 })
    // Without a limited life two connections would be enough (see undici-sender.test.ts).
    for (let sent = 0; raw.connections() < 6 && sent < 100_000; sent++) {
      expect(statusOf(await sender.send(post(raw.url)))).toBe(200)
    }
    expect(raw.connections()).toBe(6)
  })

  it('whose life ends during a request finishes it; closing the sender aborts it', async () => {
    let held: Request | undefined
    const arrived = signal()
    const receiver = await startReceiver((request) => {
      if (request.path === '/quick') return request.answer()
      held = request
      arrived.resolve()
    })
    const sender = newSender({ connectionLifeMs: 100 })
    const connections = new Set<Socket>()
    receiver.server.on('connection', (socket: Socket) => void connections.add(socket))
    const slow = sender.send(post(`${receiver.url}/slow`))
    await arrived.promise
    const stuck = sender.send(post(`${receiver.url}/stuck`))
    await receiver.arrived(2)
    // More than one in addition to those two: their life is over.
    const before = connections.size
    while (connections.size < before + 3) await sender.send(post(`${receiver.url}/quick`))
    receiver.requests.find(({ path }) => path === '/slow')?.answer()
    expect(statusOf(await slow)).toBe(200)
    expect(held?.path).toBe('/stuck')
    await sender.close()
    expect(statusOf(await stuck)).toBe('network')
  })
})

describe('an egress proxy', { timeout: PATIENCE_MS }, () => {
  it('connects instead: it resolves the names, and the sender makes no look-up', async () => {
    const receiver = await startReceiver()
    const names = await namesOfTheLiving()
    const proxy = await startProxy(receiver.url)
    const sender = newSender({
      egressProxy: `http://keepsend:s3cret@127.0.0.1:${proxy.port}`,
      dnsServers: [names.address],
      urlPolicy: { allowHttp: true },
    })
    for (const path of ['/a', '/b'])
      expect(statusOf(await sender.send(post(`http://hooks.customer.com${path}`)))).toBe(200)
    expect(receiver.requests.map(({ path, headers }) => [path, headers.host])).toEqual([
      ['/a', 'hooks.customer.com'],
      ['/b', 'hooks.customer.com'],
    ])
    expect(receiver.requests[0]?.headers).not.toHaveProperty('proxy-authorization')
    expect(new Set(proxy.asked.map(({ target }) => target))).toEqual(new Set(['hooks.customer.com:80']))
    expect(proxy.asked[0]?.credentials).toBe(`Basic ${Buffer.from('keepsend:s3cret').toString('base64')}`)
    expect(names.questions).toEqual([])
  })

  it('is not asked for a URL that the policy forbids', async () => {
    const receiver = await startReceiver()
    const proxy = await startProxy(receiver.url)
    const sender = newSender({ egressProxy: `http://127.0.0.1:${proxy.port}`, urlPolicy: { allowHttp: true } })
    for (const url of ['http://169.254.169.254/', 'http://localhost/', 'http://hooks.customer.com:25/']) {
      expect(await sender.send(post(url))).toEqual({
        kind: 'error',
        reason: 'blocked_address',
        message: 'address not allowed',
      })
    }
    expect([proxy.asked, receiver.requests]).toEqual([[], []])
  })

  it('that refuses causes an egress_proxy error, and a silent one a time-out', async () => {
    const receiver = await startReceiver()
    const send = async (answer: 'refuse' | 'nothing', deadlineMs: number) => {
      const { port } = await startProxy(receiver.url, answer)
      const sender = newSender({ egressProxy: `http://127.0.0.1:${port}`, urlPolicy: { allowHttp: true } })
      return statusOf(await sender.send(post('http://hooks.customer.com/', { deadlineMs })))
    }
    expect([await send('refuse', 10_000), await send('nothing', 300)]).toEqual(['egress_proxy', 'timeout'])
    expect(receiver.requests).toEqual([])
  })

  it('that accepts and closes is connected to once per attempt', async () => {
    const proxy = await startProxy('http://127.0.0.1:1', 'close')
    const sender = newSender({ egressProxy: `http://127.0.0.1:${proxy.port}`, urlPolicy: { allowHttp: true } })
    for (let n = 1; n <= 3; n++) {
      expect(await sender.send(post('http://hooks.customer.com/'))).toEqual({
        kind: 'error',
        reason: 'egress_proxy',
        message: 'EGRESS_PROXY the egress proxy of the sender could not be reached, or closed the connection',
      })
      expect(proxy.connections()).toBe(n)
    }
  })

  it('that is silent is disconnected when the attempt ends, long before connectTimeoutMs', async () => {
    const proxy = await startProxy('http://127.0.0.1:1', 'nothing')
    const sender = newSender({
      egressProxy: `http://127.0.0.1:${proxy.port}`,
      urlPolicy: { allowHttp: true },
      connectTimeoutMs: 60_000,
    })
    expect(statusOf(await sender.send(post('http://hooks.customer.com/', { deadlineMs: 300 })))).toBe('timeout')
    await until(() => proxy.open() === 0)
    expect(proxy.connections()).toBe(1)
  })

  it('that is silent is disconnected by an attempt that has ended, and awaited by another at the same host', async () => {
    const proxy = await startProxy('http://127.0.0.1:1', 'nothing')
    const sender = newSender({
      egressProxy: `http://127.0.0.1:${proxy.port}`,
      urlPolicy: { allowHttp: true },
      connectTimeoutMs: 60_000,
    })
    const [long, short] = [5000, 300].map(async (deadlineMs) =>
      statusOf(await sender.send(post('http://hooks.customer.com/', { deadlineMs }))),
    )
    expect(await short).toBe('timeout')
    await until(() => proxy.open() === 1)
    expect(await long).toBe('timeout')
    await until(() => proxy.open() === 0)
    expect(proxy.connections()).toBe(2)
  })
})

it.each([
  [{ connectionLifeMs: 99 }, 'connectionLifeMs must be a whole number from 100 to 570000; found 99'],
  [{ dnsServers: [] }, 'dnsServers must contain addresses such as 10.0.0.2 or 10.0.0.2:53; found []'],
  [{ dnsServers: ['ns.customer.com'] }, 'found ["ns.customer.com"]'],
  [{ egressProxy: 'proxy.internal:3128' }, 'egressProxy must be a URL that begins with http:// or https://'],
])('%j is refused, naming option and expectation', (options, message) => {
  const make = () => newSender({ urlPolicy: LOOPBACK, ...options })
  expect(make).toThrow(message)
  expect(make).toThrow(NodeAdapterError)
})

it('an invalid policy is refused by createUndiciSender', () => {
  expect(() => newSender({ urlPolicy: { allowCidrs: ['10.0.0.0'] } })).toThrow(
    expect.objectContaining({ code: 'invalid_option' }),
  )
})
