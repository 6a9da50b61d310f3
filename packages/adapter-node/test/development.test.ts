import { once } from 'node:events'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { SendResult } from '@keepsend/engine'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type NodeServerOptions, createNodeServer, createUndiciSender } from '../src/index.ts'
import { createGuard } from '../src/lib/http/ssrf-guard.ts'
import { TEST_KEYS } from './keys.ts'
import { startNameServer } from './name-server.ts'
import { attempt, notingSockets } from './noting-sockets.ts'
import { startProxy } from './proxy.ts'
import { post } from './raw-receiver.ts'
import { startReceiver } from './receiver.ts'
import { PATIENCE_MS, delivered, keptLog, rig, temporaryFile, until } from './rig.ts'
import { startTokenServer } from './token-server.ts'

const REFUSED = { kind: 'error', reason: 'blocked_address', message: 'address not allowed' }
const event = { type: 'message.created', workspaceId: 'w', data: {} }

function sender(options: Parameters<typeof createUndiciSender>[0] = {}) {
  const made = createUndiciSender(options)
  onTestFinished(() => made.close())
  return made
}

/** A request as an engine with `development` makes it. */
const develop = (url: string) => post(url, { allowLoopback: true })

const statusOf = (result: SendResult) => (result.kind === 'response' ? result.status : result.reason)

/** Answers 200 on one address alone, or on all of them. */
async function listenOn(...address: [string?]): Promise<{ port: number; accepted: () => number }> {
  let accepted = 0
  const server: Server = createServer((_request, response) => void response.end('ok'))
  server.on('connection', () => accepted++)
  server.listen(0, ...address)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, accepted: () => accepted }
}

describe('a Node server with development', { timeout: PATIENCE_MS }, () => {
  async function start(options: Partial<NodeServerOptions>) {
    const server = await createNodeServer({
      file: temporaryFile(),
      port: 0,
      signals: false,
      secrets: TEST_KEYS,
      ...options,
    })
    onTestFinished(() => server.stop({ drainMs: 0 }))
    return server
  }

  it('delivers to a receiver on 127.0.0.1 and on localhost, and logs one warning', async () => {
    const receiver = await startReceiver()
    const logger = keptLog()
    const { engine } = await start({ development: true, engine: { logger } })
    const secrets = []
    for (const url of [receiver.url, receiver.url.replace('127.0.0.1', 'localhost')]) {
      secrets.push((await engine.endpoints.create('w', { url })).secret)
    }
    await engine.commit({ writes: [], events: [event] })
    await receiver.arrived(2)
    await expect.poll(() => delivered(engine), { timeout: PATIENCE_MS }).toBe(2)
    expect(new Set(receiver.requests.map(({ headers }) => headers.host?.split(':')[0]))).toEqual(
      new Set(['127.0.0.1', 'localhost']),
    )
    const warnings = logger.messages.filter((message) => !message.startsWith('action recorded: '))
    expect(warnings).toEqual([expect.stringMatching(/^development: true .*never use it in production$/)])
  })

  it('without it refuses the same endpoints, and logs nothing', async () => {
    for (const development of [undefined, false]) {
      const logger = keptLog()
      const { engine } = await start({ development, engine: { logger } })
      for (const url of ['http://127.0.0.1:4000/', 'http://localhost:4000/', 'https://localhost/']) {
        await expect(engine.endpoints.create('w', { url }), url).rejects.toMatchObject({ code: 'invalid_endpoint' })
      }
      expect(logger.messages).toEqual([])
    }
  })

  it('takes the option at its top level alone', async () => {
    const options = { engine: { development: true } } as Partial<NodeServerOptions>
    await expect(start(options)).rejects.toThrow(
      'createNodeServer has no option engine.development: it belongs beside engine',
    )
  })
})

describe('an engine with development', { timeout: PATIENCE_MS }, () => {
  it('delivers over a plain createUndiciSender(), with the access token of a server that is local too', async () => {
    const receiver = await startReceiver()
    const tokens = await startTokenServer()
    const { engine, queue, rows, addEndpoint } = await rig({
      engine: { development: true },
      sender: { urlPolicy: undefined },
    })
    await queue.start(engine)
    await addEndpoint(receiver.url, { auth: tokens.auth })
    await engine.publish(event)
    await until(() => rows().length === 0)
    expect(receiver.requests[0]?.headers.authorization).toBe('Bearer t1')
  })

  it('opens nothing to another engine with the same sender, not even a connection that is open', async () => {
    const receiver = await startReceiver()
    const shared = sender()
    expect(statusOf(await shared.send(develop(receiver.url)))).toBe(200)
    expect(await shared.send(post(receiver.url))).toEqual(REFUSED)
    expect(await shared.send(post(receiver.url, { allowLoopback: false }))).toEqual(REFUSED)
    expect(await shared.send(post(receiver.url.replace('127.0.0.1', 'localhost')))).toEqual(REFUSED)
    expect(receiver.requests).toHaveLength(1)
  })

  it('does not follow a redirect to another local server', async () => {
    const target = await startReceiver()
    const receiver = await startReceiver((request) => request.answer(307, '', { location: target.url }))
    expect(statusOf(await sender().send(develop(receiver.url)))).toBe(307)
    expect(target.requests).toEqual([])
  })
})

describe('a sender that may connect to the loopback interface', { timeout: PATIENCE_MS }, () => {
  it.each([
    ['127.0.0.1', 'localhost'],
    ['::1', 'localhost'],
    ['::1', '[::1]'],
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '[::ffff:127.0.0.1]'],
    ['127.0.0.1', 'LOCALHOST.'],
    ['127.8.9.10', '127.8.9.10'],
  ])('reaches a receiver on %s as %s, without a look-up', async (address, host) => {
    const { port } = await listenOn(address)
    const names = await startNameServer(() => 'silent')
    onTestFinished(() => names.close())
    const made = sender({ dnsServers: [names.address] })
    expect(statusOf(await made.send(develop(`http://${host}:${port}/`)))).toBe(200)
    expect(names.questions).toEqual([])
  })

  it('says of a port of localhost on which nothing listens that nothing listens', async () => {
    const { port } = await listenOn('127.0.0.1')
    const result = await sender().send(develop(`http://localhost:${port === 1 ? 2 : 1}/`))
    expect(result).toMatchObject({ reason: 'connect', message: expect.stringContaining('nothing listens') })
  })

  it('refuses every other private address, this machine’s own among them, and http to a public host', async () => {
    const { port, accepted } = await listenOn()
    const own = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, scopeid }) => !internal && !scopeid)
      .map(({ address }) => (address.includes(':') ? `[${address}]` : address))
    for (const host of [...own, '10.0.0.1', '169.254.169.254', '192.168.0.1', '0.0.0.0', '[::]', 'x.localhost']) {
      for (const scheme of ['http', 'https']) {
        expect(await sender().send(develop(`${scheme}://${host}:${port}/`)), host).toEqual(REFUSED)
        expect(await sender().send(develop(`${scheme}://${host}/`)), host).toEqual(REFUSED)
      }
    }
    for (const url of ['http://example.com/', 'http://93.184.215.14/', 'https://93.184.215.14:4000/']) {
      expect(await sender().send(develop(url)), url).toEqual(REFUSED)
    }
    expect(accepted()).toBe(0)
  })

  it.each([[['127.0.0.1']], [['::1']], [['127.0.0.1', '::1']], [['93.184.215.14', '127.0.0.1']]])(
    'refuses a name of a customer that resolves to %j',
    async (addresses) => {
      const { port, accepted } = await listenOn()
      const names = await startNameServer(() => ({ addresses }))
      onTestFinished(() => names.close())
      for (const name of ['hooks.customer.com', 'localhost.customer.com', 'localhost.localdomain']) {
        // All that a policy can open of a name, except its addresses.
        const made = sender({ dnsServers: [names.address], urlPolicy: { allowHttp: true, allowPorts: 'any' } })
        expect(await made.send(develop(`http://${name}:${port}/`)), name).toEqual(REFUSED)
      }
      expect(names.questions.length).toBeGreaterThan(0)
      expect(accepted()).toBe(0)
    },
  )

  it('drops a socket to localhost that is connected to anything else before it is used', async () => {
    const connectedTo: string[] = []
    const guard = createGuard({
      allowLoopback: true,
      lookup: async () => [],
      isOwn: () => true,
      connectTimeoutMs: 1000,
      build: notingSockets(connectedTo),
    })
    await attempt(guard, 'http://localhost:4000/')
    expect(connectedTo).toEqual(['::1', '127.0.0.1'])
    let destroyed = 0
    const elsewhere = createGuard({
      allowLoopback: true,
      lookup: async () => [],
      isOwn: () => false,
      connectTimeoutMs: 1000,
      build: () => (_target, callback) => {
        const socket = { remoteAddress: '93.184.215.14', on: () => socket, destroy: () => void destroyed++ }
        callback(null, socket as never)
      },
    })
    for (const url of ['http://localhost:4000/', 'http://127.0.0.1:4000/', 'http://[::1]:4000/']) {
      expect((await attempt(elsewhere, url))?.message, url).toBe('address not allowed')
    }
    expect(destroyed).toBe(4)
  })

  it('still refuses what denyHosts contains', async () => {
    const { port, accepted } = await listenOn()
    for (const denied of ['127.0.0.1', '127.0.0.0/8', '::1', 'localhost']) {
      const made = sender({ urlPolicy: { denyHosts: [denied] } })
      expect(await made.send(develop(`http://localhost:${port}/`)), denied).toEqual(REFUSED)
    }
    expect(accepted()).toBe(0)
  })

  it('connects to what its policy opens besides', async () => {
    const receiver = await startReceiver()
    const names = await startNameServer(() => ({ addresses: ['127.0.0.1'] }))
    onTestFinished(() => names.close())
    const { port } = new URL(receiver.url)
    const made = sender({
      dnsServers: [names.address],
      urlPolicy: { allowHttp: true, allowPorts: [Number(port)], allowCidrs: ['127.0.0.1/32'] },
    })
    for (const host of ['hooks.customer.com', 'localhost', '127.0.0.1']) {
      expect(statusOf(await made.send(develop(`http://${host}:${port}/`))), host).toBe(200)
    }
  })

  it('connects to this machine itself, past its egress proxy, and to others through it', async () => {
    const [receiver, behind] = [await startReceiver(), await startReceiver()]
    const proxy = await startProxy(behind.url)
    const made = sender({ egressProxy: `http://127.0.0.1:${proxy.port}`, urlPolicy: { allowHttp: true } })
    expect(statusOf(await made.send(develop(receiver.url.replace('127.0.0.1', 'localhost'))))).toBe(200)
    expect([receiver.requests.length, proxy.asked]).toEqual([1, []])
    expect(statusOf(await made.send(develop('http://hooks.customer.com/')))).toBe(200)
    expect(proxy.asked.map(({ target }) => target)).toEqual(['hooks.customer.com:80'])
    expect(await made.send(post(receiver.url))).toEqual(REFUSED)
    expect(behind.requests).toHaveLength(1)
  })

  it('ends these requests too when it is closed', async () => {
    const receiver = await startReceiver(() => undefined)
    const made = createUndiciSender()
    const result = made.send(develop(receiver.url))
    await receiver.arrived(1)
    await made.close()
    expect(await result).toMatchObject({ kind: 'error', reason: 'network' })
  })
})
