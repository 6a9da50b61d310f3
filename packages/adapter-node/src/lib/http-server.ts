import { type RequestListener, type Server, createServer } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { type OptionNames, withDefaults } from '@keepsend/outbox/internal'
import { checkBounds } from './errors.ts'

/** What clients may take of a server. */
export interface HttpOptions {
  /** Connections: 1–65,535. One more is closed as it comes. @default 1000 */
  maxConnections?: number | undefined
  /**
   * How long a request may take to arrive, body included, in ms: 1,000–600,000; its headers 10 s at most. Then it is answered
   * with 408. @default 30_000
   */
  requestTimeoutMs?: number | undefined
  /**
   * How long a connection stays open between requests, and how long a client may take no byte of an answer that is there, in
   * ms: 1,000–3,600,000. An answer that is being computed takes as long as it takes, and a stream may be silent. Longer than
   * what a load balancer in front keeps idle connections for, which is 60 s for most. @default 65_000
   */
  idleTimeoutMs?: number | undefined
  /** Of one request, all headers together: 1,024–65,536 bytes. Then it is answered with 431. @default 16_384 */
  maxHeaderBytes?: number | undefined
  /** Requests of one connection at the same time, sent without waiting for answers: 1–1,000. One more closes it. @default 10 */
  maxPipelined?: number | undefined
}

export const HTTP_OPTIONS = {
  maxConnections: 'number',
  requestTimeoutMs: 'number',
  idleTimeoutMs: 'number',
  maxHeaderBytes: 'number',
  maxPipelined: 'number',
} satisfies OptionNames<HttpOptions>

/** By its one method, so that a Hono app of any environment fits. */
export interface FetchApp {
  fetch(request: Request): Response | Promise<Response>
}

const DEFAULTS = {
  maxConnections: 1000,
  requestTimeoutMs: 30_000,
  idleTimeoutMs: 65_000,
  maxHeaderBytes: 16_384,
  maxPipelined: 10,
} satisfies HttpOptions

// How often late requests are looked for.
const LATE_LOOK_MS = 1000
const MAX_HEADERS = 200
const MAX_HEADERS_MS = 10_000
const IDLE_LOOK_MS = 20

type Bounds = typeof DEFAULTS

/** @throws {NodeAdapterError} `invalid_option`, naming option, bound and value */
export function readHttpOptions(options: HttpOptions = {}): Bounds {
  const bounds = withDefaults(options, DEFAULTS)
  checkBounds('http.maxConnections', bounds.maxConnections, 1, 65_535)
  checkBounds('http.requestTimeoutMs', bounds.requestTimeoutMs, 1000, 600_000)
  checkBounds('http.idleTimeoutMs', bounds.idleTimeoutMs, 1000, 3_600_000)
  checkBounds('http.maxHeaderBytes', bounds.maxHeaderBytes, 1024, 65_536)
  checkBounds('http.maxPipelined', bounds.maxPipelined, 1, 1000)
  return bounds
}

/** Listens when this resolves. */
export function listen(app: FetchApp, port: number, hostname: string, bounds: Bounds): Promise<Server> {
  const open = new OpenRequests()
  const server = createServer(
    {
      requestTimeout: bounds.requestTimeoutMs,
      headersTimeout: Math.min(bounds.requestTimeoutMs, MAX_HEADERS_MS),
      keepAliveTimeout: bounds.idleTimeoutMs,
      connectionsCheckingInterval: LATE_LOOK_MS,
      maxHeaderSize: bounds.maxHeaderBytes,
    },
    open.atMost(
      bounds.maxPipelined,
      getRequestListener((request) => app.fetch(request), { hostname }),
    ),
  )
  server.maxConnections = bounds.maxConnections
  server.maxHeadersCount = MAX_HEADERS
  server.timeout = bounds.idleTimeoutMs
  // No byte has moved for that long. Node would close the connection, whatever its request waits for.
  server.on('timeout', (socket: Socket) => {
    if (open.of(socket) === 0 || socket.writableLength > 0) socket.destroy()
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, hostname, () => resolve(server))
  })
}

/** Requests that have begun and are not answered, by connection. */
class OpenRequests {
  readonly #counts = new WeakMap<Socket, number>()

  of(socket: Socket): number {
    return this.#counts.get(socket) ?? 0
  }

  /** Node begins every request that one packet holds, a thousand at a time, and keeps each answer until it is its turn. */
  atMost(most: number, listener: (...given: Parameters<RequestListener>) => Promise<void>): RequestListener {
    return (request, response) => {
      const { socket } = request
      const count = this.of(socket) + 1
      if (count > most) return void socket.destroy()
      this.#counts.set(socket, count)
      response.once('close', () => this.#counts.set(socket, this.of(socket) - 1))
      void listener(request, response)
    }
  }
}

/** Requests under way are answered, for as long as `drainMs`: a client that never ends its own must not hold up the rest. */
export function closeServer(server: Server, drainMs: number): Promise<void> {
  return new Promise((resolve) => {
    // A connection whose request was just answered would be kept for the next one: again and again, not only now.
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS)
    const end = setTimeout(() => server.closeAllConnections(), drainMs)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(end)
      resolve()
    })
  })
}
