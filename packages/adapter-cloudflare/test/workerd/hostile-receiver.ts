// Runs on Node, beside workerd: a receiver that writes raw bytes, so that it can violate HTTP in the way that its path names.
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { TestProject } from 'vitest/node'

const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024))
const OK = 'HTTP/1.1 200 OK\r\n'

const BEHAVIOURS: Record<string, (socket: Socket, port: number) => void> = {
  never: () => undefined,
  ok: (socket) => socket.write(`${OK}Content-Length: 2\r\n\r\nok`),
  exact: (socket) => socket.write(`${OK}Content-Length: 65536\r\n\r\n${'x'.repeat(65_536)}`),
  endless: (socket) => {
    socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n`)
    flood(socket, '10\r\n0123456789abcdef\r\n')
  },
  'drip-body': (socket) => {
    socket.write(`${OK}Content-Length: 100000\r\n\r\n`)
    drip(socket, 'x')
  },
  'drip-headers': (socket) => {
    socket.write(`${OK}X-Slow: `)
    drip(socket, 'x')
  },
  'drip-1xx': (socket) => drip(socket, 'HTTP/1.1 102 Processing\r\n\r\n'),
  'last-byte': (socket) => socket.write(`${OK}Content-Length: 3\r\n\r\nok`),
  bomb: (socket) => {
    socket.write(`${OK}Content-Encoding: gzip\r\nContent-Length: ${BOMB.length}\r\n\r\n`)
    socket.write(BOMB)
  },
  redirect: (socket, port) =>
    socket.write(`HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:${port}/ok\r\nContent-Length: 0\r\n\r\n`),
  'status-000': (socket) => socket.write('HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n'),
  'status-600': (socket) => socket.write('HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n'),
  'status-999': (socket) => socket.write('HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n'),
  continue: (socket) => socket.write(`HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`),
  hints: (socket) => socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`),
  'body-of-204': (socket) => socket.write('HTTP/1.1 204 x\r\nContent-Length: 4\r\n\r\nnull'),
  'two-lengths': (socket) => socket.write(`${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`),
  'length-and-chunks': (socket) =>
    socket.write(`${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`),
  'line-feeds': (socket) => socket.write('HTTP/1.1 200 OK\nContent-Length: 2\n\nok'),
  'headers-of-17-kb': (socket) => socket.write(`${OK}X-Big: ${'x'.repeat(17_000)}\r\nContent-Length: 2\r\n\r\nok`),
  'headers-of-60-kb': (socket) => socket.write(`${OK}X-Big: ${'x'.repeat(60_000)}\r\nContent-Length: 2\r\n\r\nok`),
  'broken-chunk': (socket) => socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n`),
  'no-body': (socket) => socket.write(`${OK}Content-Length: 2\r\n\r\n`),
  'switch-protocols': (socket) =>
    socket.write('HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'),
  'no-http': (socket) => socket.write('SSH-2.0-OpenSSH_9.9\r\n'),
  'huge-header': (socket) => socket.write(`${OK}X-Big: ${'x'.repeat(1_000_000)}\r\n\r\n`),
  'reset-before': (socket) => socket.resetAndDestroy(),
  'reset-within': (socket) => socket.write(`${OK}Content-Length: 100\r\n\r\nhalf`, () => socket.resetAndDestroy()),
}

/** `POST /<behaviour>`; `GET /seen/<behaviour>` answers `{ requests, bytes }` that it had and wrote. */
export default async function startHostileReceiver(project: TestProject): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>()
  const seen = new Map<string, { requests: number; bytes: () => number }>()
  const server = createServer((socket) => {
    sockets.add(socket)
    // The sender closes the connection during many of these.
    socket.on('error', () => undefined)
    let received = ''
    socket.on('data', (some) => {
      received += some.toString('latin1')
      const head = received.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
      if (head === -1 || received.length < head + 4 + length) return
      const path = /^\S+ \/(\S*)/.exec(received)?.[1] ?? ''
      received = ''
      if (path.startsWith('seen/')) {
        const { requests, bytes } = seen.get(path.slice(5)) ?? { requests: 0, bytes: () => 0 }
        const text = JSON.stringify({ requests, bytes: bytes() })
        socket.write(`${OK}Content-Length: ${text.length}\r\n\r\n${text}`)
        return
      }
      const before = seen.get(path)
      seen.set(path, {
        requests: (before?.requests ?? 0) + 1,
        bytes: () => (before?.bytes() ?? 0) + socket.bytesWritten - socket.writableLength,
      })
      BEHAVIOURS[path]?.(socket, (server.address() as AddressInfo).port)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  project.provide('hostile', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
}

/** Writes piece by piece until the other side closes. */
function drip(socket: Socket, text: string): void {
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer)
    else socket.write(text)
  }, 50)
  socket.on('close', () => clearInterval(timer))
}

/** Writes as fast as the other side reads, until it closes. */
function flood(socket: Socket, text: string): void {
  const piece = text.repeat(1000)
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  }
  socket.on('drain', more)
  more()
}
