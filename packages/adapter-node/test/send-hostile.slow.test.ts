import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { drip, flood, newSender, post, startRawReceiver } from './raw-receiver.ts'
import { startReceiver } from './receiver.ts'
import { PATIENCE_MS, until } from './rig.ts'

const KEPT = 65_536
const DEADLINE = { deadlineMs: 300 }
const TIMED_OUT = { kind: 'error', reason: 'timeout', message: 'no complete answer within 300 ms' }

describe('a body without an end (trap 30)', { timeout: PATIENCE_MS }, () => {
  it.each([200, 500])('is read up to 64 KiB, counts by its status %i, and is disconnected', async (status) => {
    const raw = await startRawReceiver((socket) => {
      socket.write(`HTTP/1.1 ${status} x\r\nTransfer-Encoding: chunked\r\n\r\n`)
      flood(socket, '10\r\n0123456789abcdef\r\n')
    })
    const result = await newSender().send(post(raw.url))
    expect(result).toMatchObject({ kind: 'response', status })
    expect(result.kind === 'response' && result.body.length).toBe(KEPT)
    const taken = raw.written()
    // Only the buffers of two sockets.
    expect(taken).toBeLessThan(32 * 1024 * 1024)
  })

  it('of exactly 64 KiB is complete, and its connection is reused', async () => {
    const raw = await startRawReceiver((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${KEPT}\r\n\r\n${'x'.repeat(KEPT)}`),
    )
    const sender = newSender({ keepAliveMs: 60_000 })
    for (let n = 0; n < 10; n++) {
      const result = await sender.send(post(raw.url))
      expect(result.kind === 'response' && result.body.length).toBe(KEPT)
    }
    expect(raw.connections()).toBeLessThanOrEqual(2)
  })

  it('that is a gzip bomb is not decompressed', async () => {
    const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024))
    await expectAsReceived(bomb, 'gzip')
  })

  it('that is a gzip bomb in a gzip bomb is not decompressed', async () => {
    const bomb = gzipSync(gzipSync(Buffer.alloc(64 * 1024 * 1024)))
    expect(bomb.length).toBeLessThan(1024)
    await expectAsReceived(bomb, 'gzip, gzip')
  })

  async function expectAsReceived(bomb: Buffer, encoding: string): Promise<void> {
    const raw = await startRawReceiver((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${bomb.length}\r\n\r\n`)
      socket.write(bomb)
    })
    const result = await newSender().send(post(raw.url))
    expect(result.kind === 'response' && Buffer.from(result.body).equals(bomb)).toBe(true)
  }
})

// Each keeps the connection busy, so that no time-out between two pieces would ever fire.
const ENDLESS: [string, (socket: Socket) => void][] = [
  ['never answers', () => undefined],
  [
    'drips its headers',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nX-Slow: ')
      drip(socket, 'x', 50)
    },
  ],
  ['drips 1xx', (socket) => drip(socket, 'HTTP/1.1 102 Processing\r\n\r\n', 50)],
  ['floods with 1xx', (socket) => flood(socket, 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n')],
  ['drips empty lines', (socket) => drip(socket, '\r\n', 50)],
]

/** Complete heads with endless bodies. */
const ENDLESS_BODIES: [string, (socket: Socket, head: string) => void][] = [
  [
    'drips its body',
    (socket, head) => {
      socket.write(`${head}Content-Length: 100000\r\n\r\n`)
      drip(socket, 'x', 50)
    },
  ],
  [
    'sends a chunk extension without an end',
    (socket, head) => {
      socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n1;`)
      flood(socket, 'x')
    },
  ],
  [
    'drips a chunk extension without an end',
    (socket, head) => {
      socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n1;`)
      drip(socket, 'x', 50)
    },
  ],
  ['answers all but the last byte', (socket, head) => void socket.write(`${head}Content-Length: 3\r\n\r\nok`)],
  ['sends no body', (socket, head) => void socket.write(`${head}Content-Length: 3\r\n\r\n`)],
]

describe('the deadline bounds the whole exchange (trap 30)', { timeout: PATIENCE_MS }, () => {
  it.each(ENDLESS)('a receiver that %s ends as a time-out', async (_, respond) => {
    const raw = await startRawReceiver(respond)
    expect(await newSender().send(post(raw.url, DEADLINE))).toEqual(TIMED_OUT)
    expect(raw.requests()).toBe(1)
  })

  it.each(ENDLESS_BODIES)('a receiver that %s counts by its status at the deadline', async (_, respond) => {
    for (const status of [200, 500]) {
      const raw = await startRawReceiver((socket) => respond(socket, `HTTP/1.1 ${status} x\r\n`))
      expect(await newSender().send(post(raw.url, DEADLINE))).toMatchObject({ kind: 'response', status })
    }
  })

  it('a receiver that never ends the body of its 200 is awaited for a second, not until the deadline', async () => {
    const raw = await startRawReceiver((socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok'))
    const result = await newSender().send(post(raw.url, { deadlineMs: 600_000 }))
    expect(result.kind === 'response' && new TextDecoder().decode(result.body)).toBe('ok')
  })

  it('a receiver that never accepts ends as a time-out', async () => {
    // Its backlog of one is full, so the kernel does not answer further connections.
    const server = createServer({ pauseOnConnect: true })
    await new Promise<void>((resolve) => {
      server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, resolve)
    })
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    expect(await newSender().send(post(url, DEADLINE))).toEqual(TIMED_OUT)
  })

  it('a receiver that never reads ends as a time-out for any request size, and its connection is closed', async () => {
    const accepted: Socket[] = []
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      accepted.push(socket.on('error', () => undefined))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
      accepted.forEach((socket) => socket.destroy())
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const body = 'x'.repeat(30 * 1024 * 1024)
    expect(await newSender().send(post(url, { ...DEADLINE, body }))).toEqual(TIMED_OUT)
    // A receiver that does not read does not notice the end, so it writes until that fails.
    const [first] = accepted
    if (first) drip(first, 'x', 10)
    await until(() => first?.destroyed === true)
  })

  it('a hundred that never answer all end, and the sender goes on', async () => {
    const silent = await startRawReceiver(() => undefined)
    const receiver = await startReceiver()
    const sender = newSender()
    const results = await Promise.all(Array.from({ length: 100 }, () => sender.send(post(silent.url, DEADLINE))))
    expect(results).toEqual(results.map(() => TIMED_OUT))
    expect(await sender.send(post(receiver.url))).toMatchObject({ status: 200 })
  })
})

const answers = (text: string) => startRawReceiver((socket) => socket.write(text))

describe('malformed responses', { timeout: PATIENCE_MS }, () => {
  it.each([600, 999])('a status of %i is recorded as a failure', async (status) => {
    const raw = await answers(`HTTP/1.1 ${status} fine\r\nContent-Length: 0\r\n\r\n`)
    expect(await newSender().send(post(raw.url, DEADLINE))).toMatchObject({ kind: 'response', status })
  })

  it.each(['000', '199', '20', 'OK'])('a status of %s is no success', async (status) => {
    const raw = await answers(`HTTP/1.1 ${status} fine\r\nContent-Length: 0\r\n\r\n`)
    const result = await newSender().send(post(raw.url, DEADLINE))
    expect(result.kind).toBe('error')
  })

  it('101 is no success, and the bytes after it are not read', async () => {
    const raw = await answers(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
    )
    expect((await newSender().send(post(raw.url, DEADLINE))).kind).toBe('error')
  })

  it.each([301, 302, 303, 307, 308])(
    'a redirect %i is an answer like any other: its target is not visited (trap 29)',
    async (status) => {
      const target = await startReceiver()
      const receiver = await startReceiver((request) => request.answer(status, '', { location: target.url }))
      expect(await newSender().send(post(receiver.url))).toMatchObject({ kind: 'response', status })
      expect([receiver.requests.length, target.requests.length]).toEqual([1, 0])
    },
  )

  it('a second response smuggled behind the first is ignored', async () => {
    const raw = await answers(
      'HTTP/1.1 500 x\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes',
    )
    const sender = newSender()
    const statuses = []
    for (let n = 0; n < 3; n++) {
      const result = await sender.send(post(raw.url))
      statuses.push(result.kind === 'response' ? result.status : result.reason)
    }
    expect(statuses).not.toContain(200)
    expect(statuses[0]).toBe(500)
  })

  it.each([
    ['before it answers', ''],
    ['in the middle of its status', 'HTTP/1.1 20'],
    ['in the middle of its headers', 'HTTP/1.1 200 OK\r\nContent-'],
  ])('a receiver that resets the connection %s is a network error', async (_, text) => {
    const raw = await startRawReceiver((socket) => void socket.write(text, () => socket.resetAndDestroy()))
    expect(await newSender().send(post(raw.url))).toMatchObject({ kind: 'error', reason: 'network' })
  })

  it('a port without a listener is a connect error that says so', async () => {
    const gone = await startReceiver()
    gone.server.close()
    await until(() => !gone.server.listening)
    const result = await newSender().send(post(gone.url))
    // No address: customers read the error, and a name may lead to an address of the operator.
    expect(result).toEqual({
      kind: 'error',
      reason: 'connect',
      message: expect.stringMatching(/^ECONNREFUSED nothing listens/),
    })
  })

  it('a URL or a header that cannot be sent is a network error, not a throw', async () => {
    const receiver = await startReceiver()
    expect(await newSender().send(post('not a url'))).toMatchObject({ kind: 'error', reason: 'network' })
    const split = post(receiver.url, { headers: { 'x-a': 'one\r\nx-b: two' } })
    expect(await newSender().send(split)).toMatchObject({ kind: 'error', reason: 'network' })
    expect(receiver.requests).toHaveLength(0)
  })
})
