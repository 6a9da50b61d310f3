import { type AddressInfo, type Socket, createServer } from 'node:net'
import type { SendRequest } from '@keepsend/engine'
import { onTestFinished } from 'vitest'
import { LOOPBACK } from './rig.ts'
import { type UndiciSender, type UndiciSenderOptions, createUndiciSender } from '../src/index.ts'

export interface RawReceiver {
  url: string
  connections: () => number
  requests: () => number
  /** Bytes that the other side has read. */
  written: () => number
}

/** A receiver that writes raw bytes, so that it can violate HTTP. `respond` is called for each complete request. */
export async function startRawReceiver(respond: (socket: Socket) => void): Promise<RawReceiver> {
  const sockets = new Set<Socket>()
  let connections = 0
  let requests = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    // The sender closes the connection during many of these.
    socket.on('error', () => undefined)
    let received = ''
    socket.on('data', (some) => {
      received += some.toString('latin1')
      const head = received.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
      if (head === -1 || received.length < head + 4 + length) return
      received = ''
      requests++
      respond(socket)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.close()
    sockets.forEach((socket) => socket.destroy())
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    connections: () => connections,
    requests: () => requests,
    written: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0),
  }
}

/** Writes the text repeatedly, piece by piece, until the other side closes. */
export function drip(socket: Socket, text: string, everyMs: number): void {
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer)
    else socket.write(text)
  }, everyMs)
  socket.on('close', () => clearInterval(timer))
}

/** Writes as fast as the other side reads, until it closes. */
export function flood(socket: Socket, text: string): void {
  const piece = text.repeat(Math.ceil(16_384 / text.length))
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  }
  socket.on('drain', more)
  more()
}

/** A sender for one test. */
export function newSender(options?: UndiciSenderOptions): UndiciSender {
  const sender = createUndiciSender({ urlPolicy: LOOPBACK, ...options })
  onTestFinished(() => sender.close())
  return sender
}

/** A POST with the engine's bounds; a long deadline unless the test is about it. */
export function post(url: string, parts: Partial<SendRequest> = {}): SendRequest {
  const headers = { 'content-type': 'application/json' }
  return { url, headers, body: '{"n":1}', deadlineMs: 30_000, maxResponseBytes: 65_536, ...parts }
}
