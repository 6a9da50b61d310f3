import { type RequestListener, type Server, createServer } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { type OptionNames, withDefaults } from '@keepsend/outbox/internal'
import { checkBounds } from './errors.ts'

/** Limits on the clients of a server. */
export interface HttpOptions {
  /** Connections: 1–65,535. Further ones are closed when they connect. @default 1000 */
  maxConnections?: number | undefined
  /**
   * How long a request may take to arrive, including its body, in ms: 1,000–600,000; its headers at most 10 s. After that the
   * server answers 408. @default 30_000
   */
  requestTimeoutMs?: number | undefined
  /**
   * How long a connection stays open between requests, and how long a client may read nothing of a response that is ready, in
   * ms: 1,000–3,600,000. A response that is not ready, or a silent stream, is not limited. Longer than the idle time-out of a
   * load balancer in front, which is 60 s for most. @default 65_000
   */
  idleTimeoutMs?: number | undefined
  /** All headers of one request together, in bytes: 1,024–65,536. A larger request is answered 431. @default 16_384 */
  maxHeaderBytes?: number | undefined
  /** Pipelined requests of one connection: 1–1,000. One more closes it. @default 10 */
  maxPipelined?: number | undefined
}

export const HTTP_OPTIONS = {
  maxConnections: 'number',
  requestTimeoutMs: 'number',
  idleTimeoutMs: 'number',
  maxHeaderBytes: 'number',
  maxPipelined: 'number',
} satisfies OptionNames<HttpOptions>

/** An app by its one method, so that a Hono app of any environment fits. */
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

// Interval of the check for late requests.
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

/** Resolves when the server listens. */
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
  // No byte has moved for that long. Node would close the connection even while the app computes a response.
  server.on('timeout', (socket: Socket) => {
    if (open.of(socket) === 0 || socket.writableLength > 0) socket.destroy()
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, hostname, () => resolve(server))
  })
}

/** Counts the unanswered requests of each connection. */
class OpenRequests {
  readonly #counts = new WeakMap<Socket, number>()

  of(socket: Socket): number {
    return this.#counts.get(socket) ?? 0
  }

  /** Without this, Node starts every request of one packet, up to a thousand, and buffers each response until the ones before are sent. */
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

/** Closes the server after its open requests are answered, or after `drainMs`, so that a client that never finishes cannot block it. */
export function closeServer(server: Server, drainMs: number): Promise<void> {
  return new Promise((resolve) => {
    // Repeated, because a connection whose request was just answered stays open for the next one.
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS)
    const end = setTimeout(() => server.closeAllConnections(), drainMs)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(end)
      resolve()
    })
  })
}
