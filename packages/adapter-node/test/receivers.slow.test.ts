// Real receivers: the status that was read counts, even in a malformed response.
import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { flood, newSender, post, startRawReceiver } from './raw-receiver.ts'
import { PATIENCE_MS } from './rig.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const answers = (text: string) => startRawReceiver((socket) => void socket.write(text))

describe('interim responses', { timeout: PATIENCE_MS }, () => {
  it.each([
    ['100 Continue', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['100 with headers', 'HTTP/1.1 100 Continue\r\nServer: IIS\r\nX: y\r\n\r\n'],
    ['100 without a reason', 'HTTP/1.1 100\r\n\r\n'],
    ['102, 103 and 100', 'HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: </x>\r\n\r\nHTTP/1.1 100 C\r\n\r\n'],
    ['199', 'HTTP/1.1 199 Odd\r\n\r\n'],
    ['100 with bare line feeds', 'HTTP/1.1 100 Continue\n\n'],
    ['100 and an empty line more', 'HTTP/1.1 100 Continue\r\n\r\n\r\n'],
    ['an empty line alone', '\r\n'],
    ['100 in lower case', 'http/1.1 100 Continue\r\n\r\n'],
    ['100 behind two spaces', 'HTTP/1.1  100 Continue\r\n\r\n'],
    ['100 of HTTP/1.0', 'HTTP/1.0 100 Continue\r\n\r\n'],
    ['101 that switches to nothing', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['a hundred thousand 102', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100_000)],
  ])('of %s are skipped', async (_, interim) => {
    const raw = await answers(interim + OK)
    const sender = newSender({ keepAliveMs: 60_000 })
    for (let n = 0; n < 3; n++) {
      const result = await sender.send(post(raw.url))
      expect(result).toMatchObject({ kind: 'response', status: 200 })
      expect(result.kind === 'response' && new TextDecoder().decode(result.body)).toBe('ok')
    }
    expect(raw.connections()).toBeLessThanOrEqual(2)
  })

  it('may come byte by byte, and so may the response', async () => {
    const raw = await startRawReceiver((socket) => {
      const bytes = `HTTP/1.1 100 Continue\r\n\r\n${OK}`.split('')
      const next = (): void => {
        const byte = bytes.shift()
        if (byte !== undefined) socket.write(byte, () => setImmediate(next))
      }
      next()
    })
    expect(await newSender().send(post(raw.url))).toMatchObject({ kind: 'response', status: 200 })
  })
})

describe('a malformed response', { timeout: PATIENCE_MS }, () => {
  const head = (status: number, rest: string): string => `HTTP/1.1 ${status} x\r\n${rest}`

  it.each([
    ['two equal lengths', 'Content-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
    ['two lengths that differ', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!'],
    ['a length and chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['a negative length', 'Content-Length: -1\r\n\r\n'],
    ['a broken chunk', 'Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n'],
    ['a space before a colon', 'X-A : b\r\nContent-Length: 0\r\n\r\n'],
    ['a line without a colon', 'nothing\r\nContent-Length: 0\r\n\r\n'],
    ['a name that is none', 'X(A): b\r\nContent-Length: 0\r\n\r\n'],
    ['a control character', 'X-A: b\u0000c\r\nContent-Length: 0\r\n\r\n'],
    ['two lengths in one line', 'Content-Length: 2, 2\r\n\r\nok'],
    ['a length that is empty', 'Content-Length:\r\n\r\nok'],
    ['a length beyond all numbers', `Content-Length: ${'9'.repeat(30)}\r\n\r\nok`],
    ['an identity coding', 'Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok'],
    ['spaces behind the size of a chunk', 'Transfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n'],
    ['a header that goes on in the next line', 'X-A: a\r\n b\r\nContent-Length: 2\r\n\r\nok'],
    ['a header without a name', ': x\r\nContent-Length: 2\r\n\r\nok'],
    ['headers of 17 KB', `X-A: ${'a'.repeat(17_000)}\r\nContent-Length: 0\r\n\r\n`],
    ['headers of 60 KB', `X-A: ${'a'.repeat(60_000)}\r\nContent-Length: 0\r\n\r\n`],
    ['headers of a megabyte', `X-A: ${'a'.repeat(1_000_000)}\r\nContent-Length: 0\r\n\r\n`],
    ['a hundred thousand headers', `${'X-A: b\r\n'.repeat(100_000)}\r\n`],
    ['a hundred thousand trailers', `Transfer-Encoding: chunked\r\n\r\n0\r\n${'X-A: b\r\n'.repeat(100_000)}\r\n`],
  ])('by %s counts by its status', async (_, rest) => {
    for (const status of [200, 422, 503]) {
      const raw = await answers(head(status, rest))
      expect(await newSender().send(post(raw.url))).toMatchObject({ kind: 'response', status })
    }
  })

  it.each([
    ['a 204 with a body', 204, 'Content-Length: 4\r\n\r\nnull'],
    ['a 204 with chunks', 204, 'Transfer-Encoding: chunked\r\n\r\n4\r\nnull\r\n0\r\n\r\n'],
    ['a 205 with a body', 205, 'Content-Length: 4\r\n\r\nnull'],
    ['a 304 with a body', 304, 'Content-Length: 4\r\n\r\nnull'],
  ])('%s counts by its status, and so does the next on that sender', async (_, status, rest) => {
    const raw = await answers(head(status, rest))
    const sender = newSender({ keepAliveMs: 60_000 })
    for (let n = 0; n < 3; n++) expect(await sender.send(post(raw.url))).toMatchObject({ kind: 'response', status })
    expect(raw.requests()).toBe(3)
  })

  it.each([
    ['of HTTP/2', 'HTTP/2 503 x'],
    ['of HTTP/2.0', 'HTTP/2.0 503 x'],
    ['in lower case', 'http/1.1 503 x'],
    ['of Icecast', 'ICY 503 x'],
    ['with two spaces', 'HTTP/1.1  503 x'],
    ['without a space behind its status', 'HTTP/1.1 503x'],
    ['without a reason', 'HTTP/1.1 503'],
    ['behind a byte order mark', '\ufeffHTTP/1.1 503 x'],
  ])('by a status line %s counts by its status, and its body is read', async (_, line) => {
    const raw = await answers(`${line}\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy`)
    const result = await newSender().send(post(raw.url))
    expect(result).toMatchObject({ kind: 'response', status: 503 })
    if (result.kind !== 'response') return
    expect([result.header('retry-after'), new TextDecoder().decode(result.body)]).toEqual(['7', 'busy'])
  })

  it.each([
    '220 mail is ready\r\n',
    'SSH-2.0-Server\r\n',
    '<html>no status</html>',
    'HTTP/1.1\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    '\0'.repeat(100),
  ])('that is not HTTP (%j) is described as such', async (text) => {
    const raw = await answers(text)
    expect(await newSender().send(post(raw.url))).toEqual({
      kind: 'error',
      reason: 'invalid_response',
      message: 'the receiver answered, but not in HTTP/1.1: check the host and port of the URL',
    })
  })

  it('by bare line feeds counts by its status, and its headers are read', async () => {
    const raw = await answers('HTTP/1.1 503 x\nRetry-After: 7\nContent-Length: 0\n\n')
    const result = await newSender().send(post(raw.url))
    expect(result).toMatchObject({ kind: 'response', status: 503 })
    expect(result.kind === 'response' && result.header('retry-after')).toBe('7')
  })

  it.each([
    ['in the middle of its body', 'Content-Length: 100\r\n\r\nhalf'],
    ['before its body', 'Content-Length: 100\r\n\r\n'],
    ['in the middle of a chunk', 'Transfer-Encoding: chunked\r\n\r\n64\r\nhalf'],
  ])('by a connection that ends %s counts by its status', async (_, rest) => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      for (const status of [200, 500]) {
        const raw = await startRawReceiver((socket) => void socket.write(head(status, rest), () => socket[end]()))
        expect(await newSender().send(post(raw.url))).toMatchObject({ kind: 'response', status })
      }
    }
  })
})

it('an interim response without an end is no response, and takes only the memory of a head', async () => {
  let written = 0
  const raw = await startRawReceiver((socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\n')
    flood(socket, 'X: y\r\n')
    socket.once('close', () => (written = socket.bytesWritten))
  })
  expect(await newSender().send(post(raw.url))).toMatchObject({ kind: 'error', reason: 'invalid_response' })
  await expect.poll(() => written).toBeGreaterThan(0)
  // Only the buffers of two sockets.
  expect(written).toBeLessThan(32 * 1024 * 1024)
})

it('a required body has until the deadline, and is an error if it is cut off there', async () => {
  const slow = (socket: Socket, afterMs: number) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n')
    setTimeout(() => socket.write('ok'), afterMs)
  }
  const late = await startRawReceiver((socket) => slow(socket, 1300))
  const result = await newSender().send(post(late.url, { needsBody: true }))
  expect(result.kind === 'response' && new TextDecoder().decode(result.body)).toBe('ok')
  const never = await startRawReceiver((socket) => slow(socket, 60_000))
  expect(await newSender().send(post(never.url, { needsBody: true, deadlineMs: 300 }))).toMatchObject({
    kind: 'error',
    reason: 'timeout',
  })
})

it.each(['', 'Content-Length: 100\r\n', 'Content-Le'])(
  'an answer that breaks off within its head (%j) is none, and its status is shown',
  async (rest) => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      const raw = await startRawReceiver(
        (socket) => void socket.write(`HTTP/1.1 200 x\r\n${rest}`, () => socket[end]()),
      )
      expect(await newSender().send(post(raw.url))).toMatchObject({ kind: 'error', reason: 'network', status: 200 })
    }
  },
)

describe('an early response', { timeout: PATIENCE_MS }, () => {
  const body = 'x'.repeat(3_000_000)
  it.each([
    ['ends', (socket: Socket) => void socket.end()],
    ['resets', (socket: Socket) => void socket.resetAndDestroy()],
    ['closes', (socket: Socket) => void socket.destroy()],
  ])('before the request was read counts, where the receiver then %s the connection', async (_, end) => {
    for (const status of [200, 413]) {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.once('data', () => {
          socket.pause()
          socket.write(`HTTP/1.1 ${status} x\r\nContent-Length: 0\r\n\r\n`, () => end(socket))
        })
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      onTestFinished(() => void server.close())
      const { port } = server.address() as AddressInfo
      const result = await newSender().send(post(`http://127.0.0.1:${port}/`, { body }))
      expect(result).toMatchObject({ kind: 'response', status })
    }
  })
})

/** A receiver that answers each connection once, and closes it when the next request comes. */
async function startStale(end: (socket: Socket) => void, answered = 1) {
  const counts = { connections: 0, requests: 0 }
  const server = createServer((socket) => {
    counts.connections++
    let left = answered
    socket.on('error', () => undefined)
    socket.on('data', () => {
      counts.requests++
      if (left-- > 0) socket.write(OK)
      else end(socket)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { counts, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

describe('a connection that breaks', { timeout: PATIENCE_MS }, () => {
  it.each([
    ['is ended', (socket: Socket) => void socket.end()],
    ['is reset', (socket: Socket) => void socket.resetAndDestroy()],
  ])('and %s before the first byte, after an earlier request, is replaced once', async (_, end) => {
    const { counts, url } = await startStale(end)
    const sender = newSender({ keepAliveMs: 60_000 })
    for (let n = 0; n < 3; n++) {
      expect(await sender.send(post(url))).toMatchObject({ kind: 'response', status: 200 })
      // Wait until the connection is free again.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(counts.requests).toBeGreaterThan(counts.connections)
  })

  it.each([
    ['ended', (socket: Socket) => void socket.end()],
    ['closed', (socket: Socket) => void socket.destroy()],
    ['reset', (socket: Socket) => void socket.resetAndDestroy()],
  ])('and is %s while it is idle gives no request the response to the one before', async (_, end) => {
    for (const status of [200, 404, 429]) {
      let arrived = 0
      let idle: Socket | undefined
      const server = createServer((socket) => {
        idle = socket
          .on('error', () => undefined)
          .on('data', () => {
            arrived++
            socket.write(`HTTP/1.1 ${status} x\r\nContent-Length: 1\r\n\r\n${arrived}`)
          })
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      onTestFinished(() => void server.close())
      const sender = newSender({ keepAliveMs: 60_000 })
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      for (let sent = 1; sent <= 5; sent++) {
        const result = await sender.send(post(url))
        expect(result).toMatchObject({ kind: 'response', status })
        expect([result.kind === 'response' && new TextDecoder().decode(result.body), arrived]).toEqual([
          `${sent}`,
          sent,
        ])
        // The response has been read, and the next request is written while the end arrives.
        await new Promise((resolve) => setTimeout(resolve, 10))
        if (idle) end(idle)
      }
    }
  })

  it('and is new causes a network error, and so does a second one in a row', async () => {
    const { counts, url } = await startStale((socket) => void socket.resetAndDestroy(), 0)
    const sender = newSender({ keepAliveMs: 60_000 })
    expect(await sender.send(post(url))).toMatchObject({ kind: 'error', reason: 'network' })
    expect(counts).toEqual({ connections: 1, requests: 1 })
  })

  it('after the first byte of its response is not replaced', async () => {
    const { counts, url } = await startStale((socket) => {
      socket.write('HTTP/1.1 2', () => socket.resetAndDestroy())
    })
    const sender = newSender({ keepAliveMs: 60_000 })
    await sender.send(post(url))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await sender.send(post(url))).toMatchObject({ kind: 'error', reason: 'network' })
    expect(counts.requests).toBe(2)
  })

  it('because it serves other hosts (421) is replaced once', async () => {
    const raw = await startRawReceiver((socket) => {
      socket.write(raw.requests() === 1 ? 'HTTP/1.1 421 x\r\nContent-Length: 0\r\n\r\n' : OK)
    })
    expect(await newSender().send(post(raw.url))).toMatchObject({ kind: 'response', status: 200 })
    expect([raw.requests(), raw.connections()]).toEqual([2, 2])
    const always = await answers('HTTP/1.1 421 x\r\nContent-Length: 0\r\n\r\n')
    expect(await newSender().send(post(always.url))).toMatchObject({ kind: 'response', status: 421 })
    expect(always.requests()).toBe(2)
  })
})
