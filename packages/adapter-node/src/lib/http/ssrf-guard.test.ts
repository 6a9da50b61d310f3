import { TEST_KEYS } from '../../../test/keys.ts'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net'
import type { SendResult, UrlPolicy } from '@keepsend/engine'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type UndiciSenderOptions, createNodeServer, createUndiciSender } from '../../index.ts'
import { createGuard } from './ssrf-guard.ts'
import type { Address } from './dns-lookup.ts'
import { type NameRecords, type NameServer, startNameServer } from '../../../test/name-server.ts'
import { attempt, notingSockets } from '../../../test/noting-sockets.ts'
import { post } from '../../../test/raw-receiver.ts'
import { PATIENCE_MS, temporaryFile } from '../../../test/rig.ts'

const REFUSED = { kind: 'error', reason: 'blocked_address', message: 'address not allowed' }

// 127.0.0.1 stands for public addresses: only it is allowed. 127.0.0.2 and all others are private.
const OPEN: UrlPolicy = { allowHttp: true, allowPorts: 'any', allowCidrs: ['127.0.0.1/32'] }
const [PUBLIC, PRIVATE] = ['127.0.0.1', '127.0.0.2']
const NAME = 'hooks.customer.com'

/** Listens on every address of this machine, and records where it accepts. */
async function startEverywhere(): Promise<{ port: number; accepted: string[] }> {
  const accepted: string[] = []
  const server = createHttpServer((request, response) => void request.resume().on('end', () => response.end('ok')))
  server.on('connection', (socket: Socket) => accepted.push(socket.localAddress?.replace('::ffff:', '') ?? ''))
  server.listen(0)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, accepted }
}

/** A name server for one test: the same answer for every name, unless it is a function. */
async function names(answer: NameRecords | ((name: string, family: 4 | 6) => NameRecords)): Promise<NameServer> {
  const server = await startNameServer(typeof answer === 'function' ? answer : () => answer)
  onTestFinished(() => server.close())
  return server
}

function sender(options: UndiciSenderOptions) {
  const made = createUndiciSender(options)
  onTestFinished(() => made.close())
  return made
}

const statusOf = (result: SendResult) => (result.kind === 'response' ? result.status : result.reason)

describe('a name', { timeout: PATIENCE_MS }, () => {
  it.each<[string, NameRecords]>([
    ['private addresses only', { addresses: [PRIVATE] }],
    ['a public address and a private one (trap 31)', { addresses: [PUBLIC, PRIVATE] }],
    ['a private address and a public one (trap 31)', { addresses: [PRIVATE, PUBLIC] }],
    ['a public IPv4 and a private IPv6 address', { addresses: [PUBLIC, 'fd00::1'] }],
    ['a public IPv6 and a private IPv4 address', { addresses: ['2606:4700:4700::1111', '10.0.0.1'] }],
    ['another name for a private address', { addresses: [PRIVATE], alias: 'inside.customer.com' }],
    ['an IPv6 address only, and that private', { addresses: ['::1'] }],
    ['a private IPv4 address mapped into IPv6', { addresses: ['::ffff:127.0.0.2'] }],
    ['a NAT64 address', { addresses: ['64:ff9b::5db8:d70e'] }],
    ['no address', { addresses: [] }],
    ['more addresses than anybody has', { addresses: Array.from({ length: 65 }, (_, n) => `93.184.215.${n}`) }],
  ])('with %s is refused without a connection', async (_, records) => {
    const receiver = await startEverywhere()
    const { address } = await names(records)
    const result = await sender({ urlPolicy: OPEN, dnsServers: [address] }).send(
      post(`http://${NAME}:${receiver.port}/`),
    )
    expect(result).toEqual(REFUSED)
    expect(receiver.accepted).toEqual([])
  })

  it.each<[string, NameRecords]>([
    ['a public address', { addresses: [PUBLIC] }],
    ['another name for a public address', { addresses: [PUBLIC], alias: 'edge.provider.com' }],
  ])('with %s is connected to there', async (_, records) => {
    const receiver = await startEverywhere()
    const { address } = await names(records)
    const result = await sender({ urlPolicy: OPEN, dnsServers: [address] }).send(
      post(`http://${NAME}:${receiver.port}/`),
    )
    expect(statusOf(result)).toBe(200)
    expect(receiver.accepted).toEqual([PUBLIC])
  })

  it('that does not exist is an error of class dns without any address', async () => {
    const { address } = await names(null)
    const result = await sender({ urlPolicy: OPEN, dnsServers: [address] }).send(post(`http://${NAME}/`))
    expect(result).toMatchObject({ kind: 'error', reason: 'dns', message: expect.stringMatching(/^ENOTFOUND /) })
    expect(JSON.stringify(result)).not.toContain('127.0.0')
  })

  it('is looked up once for a hundred concurrent connections', async () => {
    const receiver = await startEverywhere()
    const server = await names({ addresses: [PUBLIC] })
    const one = sender({ urlPolicy: OPEN, dnsServers: [server.address] })
    const url = `http://${NAME}:${receiver.port}/`
    const results = await Promise.all(Array.from({ length: 100 }, () => one.send(post(url))))
    expect(new Set(results.map(statusOf))).toEqual(new Set([200]))
    expect([server.questions.length, receiver.accepted.length]).toEqual([2, 100])
  })
})

describe('rebinding (trap 31)', { timeout: PATIENCE_MS }, () => {
  it('to a private address does not affect the pinned connection, and the next attempt is refused', async () => {
    const receiver = await startEverywhere()
    let addresses = [PUBLIC]
    const { address } = await names(() => ({ addresses, ttlSeconds: 0 }))
    const url = `http://${NAME}:${receiver.port}/`
    const first = sender({ urlPolicy: OPEN, dnsServers: [address] })
    expect(statusOf(await first.send(post(url)))).toBe(200)
    addresses = [PRIVATE]
    // The cached answer still counts, and the socket connects to the address that was checked.
    expect(statusOf(await first.send(post(url)))).toBe(200)
    expect(new Set(receiver.accepted)).toEqual(new Set([PUBLIC]))
    const before = receiver.accepted.length
    expect(await sender({ urlPolicy: OPEN, dnsServers: [address] }).send(post(url))).toEqual(REFUSED)
    expect(receiver.accepted).toHaveLength(before)
  })

  it('is impossible within a connection: one look-up, and the checked address is connected to', async () => {
    const answers: Address[][] = [[{ address: '93.184.215.14', family: 4 }], [{ address: '10.0.0.1', family: 4 }]]
    const connectedTo: string[] = []
    const guard = createGuard({
      lookup: async () => answers.shift() ?? [],
      isOwn: () => false,
      connectTimeoutMs: 1000,
      build: notingSockets(connectedTo),
    })
    await attempt(guard, `https://${NAME}/`)
    expect(connectedTo).toEqual(['93.184.215.14'])
    expect((await attempt(guard, `https://${NAME}/`))?.message).toBe('address not allowed')
    expect([connectedTo.length, answers.length]).toEqual([1, 0])
  })

  it('of the socket itself is detected: a socket to an unchecked address is closed before it is used (stage three)', async () => {
    const dropped: Socket[] = []
    const inside: Server = createServer((socket) => void socket.on('error', () => undefined)).listen(0, '127.0.0.1')
    onTestFinished(() => void inside.close())
    await once(inside, 'listening')
    const guard = createGuard({
      urlPolicy: { allowPorts: 'any' },
      lookup: async () => [{ address: '93.184.215.14', family: 4 }],
      isOwn: () => false,
      connectTimeoutMs: 1000,
      // Like a broken socket layer, or one that looks the name up again.
      build: () => (_, callback) => {
        const socket: Socket = connect((inside.address() as AddressInfo).port, '127.0.0.1', () =>
          callback(null, socket),
        )
        dropped.push(socket)
      },
    })
    for (const url of [`https://${NAME}/`, 'https://93.184.215.14/']) {
      expect((await attempt(guard, url))?.message).toBe('address not allowed')
    }
    expect(dropped.map(({ destroyed }) => destroyed)).toEqual([true, true])
  })
})

describe('a name with IPv6 addresses only', () => {
  it('is connected to if they are public', async () => {
    const connectedTo: string[] = []
    const guard = createGuard({
      lookup: async () => [{ address: '2606:4700:4700::1111', family: 6 }],
      isOwn: () => false,
      connectTimeoutMs: 1000,
      build: notingSockets(connectedTo),
    })
    await attempt(guard, `https://${NAME}/`)
    expect(connectedTo).toEqual(['2606:4700:4700::1111'])
  })
})

describe('the policy of a sender', { timeout: PATIENCE_MS }, () => {
  it.each([
    'http://93.184.215.14/',
    'https://93.184.215.14:25/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://localhost/',
    'https://printer.local/',
    'ws://93.184.215.14/',
    'blob:https://93.184.215.14/1',
  ])('refuses by default: %s', async (url) => {
    expect(await sender({}).send(post(url))).toEqual(REFUSED)
  })

  it('resolves an allowed host by the system, including /etc/hosts, to any address', async () => {
    const receiver = await startEverywhere()
    const server = await names('silent')
    const opened = sender({
      urlPolicy: { allowHttp: true, allowPorts: 'any', allowHosts: ['localhost', '127.0.0.2'] },
      dnsServers: [server.address],
    })
    for (const host of ['localhost', 'LOCALHOST', PRIVATE]) {
      expect(statusOf(await opened.send(post(`http://${host}:${receiver.port}/`))), host).toBe(200)
    }
    expect(await opened.send(post(`http://${PUBLIC}:${receiver.port}/`))).toEqual(REFUSED)
    expect(await opened.send(post(`http://x.localhost:${receiver.port}/`))).toEqual(REFUSED)
    expect(server.questions).toEqual([])
  })

  it.each<[string, UrlPolicy, string]>([
    ['a name that resolves to it', OPEN, NAME],
    ['a name that is opened, and resolves to it', { ...OPEN, allowHosts: ['localhost'] }, 'localhost'],
    ['its own spelling inside IPv6', OPEN, `[::ffff:${PUBLIC}]`],
    ['a range that holds it, and an opened address', { ...OPEN, allowHosts: [PUBLIC] }, PUBLIC],
  ])('denies an address for %s without a connection', async (_, policy, host) => {
    const receiver = await startEverywhere()
    const { address } = await names({ addresses: [PUBLIC] })
    for (const denied of [PUBLIC, `${PUBLIC}/32`, '127.0.0.0/8']) {
      const urlPolicy = { ...policy, denyHosts: [denied] }
      const shut = sender({ urlPolicy, dnsServers: [address] })
      expect(await shut.send(post(`http://${host}:${receiver.port}/`)), denied).toEqual(REFUSED)
    }
    expect(receiver.accepted).toEqual([])
    expect(
      statusOf(
        await sender({ urlPolicy: policy, dnsServers: [address] }).send(post(`http://${host}:${receiver.port}/`)),
      ),
    ).toBe(200)
  })

  it('is a snapshot of the given object', async () => {
    const urlPolicy = { allowHttp: true, allowHosts: [] as string[] }
    const made = sender({ urlPolicy })
    urlPolicy.allowHosts.push('127.0.0.1')
    expect(made.urlPolicy).toEqual({ allowHttp: true, allowHosts: [] })
    expect(await made.send(post('http://127.0.0.1/'))).toEqual(REFUSED)
  })

  it('comes from the engine in createNodeServer, and deliveries show no address', async () => {
    const receiver = await startEverywhere()
    const { address } = await names((name) => ({ addresses: [name === NAME ? PUBLIC : PRIVATE] }))
    const server = await createNodeServer({
      file: temporaryFile(),
      port: 0,
      signals: false,
      secrets: TEST_KEYS,
      engine: { urlPolicy: OPEN },
      sender: { dnsServers: [address] },
    })
    onTestFinished(() => server.stop({ drainMs: 0 }))
    for (const host of [NAME, 'inside.customer.com']) {
      await server.engine.endpoints.create('w', { url: `http://${host}:${receiver.port}/` })
    }
    await server.engine.commit({ writes: [], events: [{ type: 'a.b', workspaceId: 'w', data: {} }] })
    const read = server.db.connection.prepare('select last_error as said from pending_events where attempts = 1')
    await expect
      .poll(() => read.all(), { timeout: PATIENCE_MS })
      .toContainEqual({ said: 'blocked_address: address not allowed' })
    await expect.poll(() => receiver.accepted, { timeout: PATIENCE_MS }).toEqual([PUBLIC])
  })
})
