import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { type Socket, isIP, isIPv6 } from 'node:net'
import type { SecureContext } from 'node:tls'
import { buildConnector } from 'undici/index.js'
import { AddressNotAllowed } from './ssrf-guard.ts'

/** The proxy did not connect. Customers read the message: it names neither the proxy nor an address. */
export class ProxyFailed extends Error {
  override readonly name = 'ProxyFailed'
  readonly code = 'EGRESS_PROXY'

  constructor(what: string, options?: ErrorOptions) {
    super(`EGRESS_PROXY the egress proxy of the sender ${what}`, options)
  }
}

export interface TunnelOptions {
  /** Its URL, with user name and password if it needs them, and the authorities that verify it. It gets no client certificate. */
  proxy: { url: string; secureContext: SecureContext | undefined }
  /** Whether the URL policy allows an origin. Checking addresses is the proxy's task. */
  admit: (origin: string) => boolean
  /** Bound on the proxy's response, and again on TLS with the receiver, in ms. */
  connectTimeoutMs: number
  verifyCertificates: boolean
  /** Client certificate and authorities for the receiver. */
  secureContext: SecureContext | undefined
}

/** Connects like undici's connectors; returns a function that cancels the connection while it is being made. */
export type Tunnel = (...connection: Parameters<buildConnector.connector>) => () => void

/**
 * Connects through a proxy with `CONNECT`, once per call. undici's own ProxyAgent reconnects for as long as a proxy accepts and
 * closes, thousands of times a second, even after the request has ended.
 */
export function createTunnel(options: TunnelOptions): Tunnel {
  const { proxy, admit, connectTimeoutMs, verifyCertificates, secureContext } = options
  const { protocol, hostname, port, username, password } = new URL(proxy.url)
  const request = protocol === 'https:' ? httpsRequest : httpRequest
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  const upgrade = buildConnector({
    timeout: connectTimeoutMs,
    rejectUnauthorized: verifyCertificates,
    maxCachedSessions: 1000,
    ...(secureContext && { secureContext }),
  })

  return (target, callback) => {
    const isTls = target.protocol === 'https:'
    const host = isIPv6(target.hostname) ? `[${target.hostname}]` : target.hostname
    const authority = `${host}:${target.port || (isTls ? 443 : 80)}`
    if (!admit(`${target.protocol}//${authority}/`)) {
      // Not before this call returns: undici is in the middle of a state change.
      process.nextTick(callback, new AddressNotAllowed(), null)
      return () => undefined
    }
    const connecting = request({
      method: 'CONNECT',
      host: hostname.replace(/^\[|\]$/g, ''),
      port,
      path: authority,
      headers: { host: authority, ...(username !== '' && { 'proxy-authorization': `Basic ${credentials}` }) },
      agent: false,
      rejectUnauthorized: verifyCertificates,
      ...(proxy.secureContext && { secureContext: proxy.secureContext }),
    })
    let tunnelled: Socket | undefined
    let isOver = false
    const end = (error: Error | null, socket?: Socket): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      if (socket) return callback(null, socket)
      connecting.destroy()
      tunnelled?.destroy()
      callback(error ?? new ProxyFailed('gave no connection'), null)
    }
    const timer = setTimeout(() => end(new ProxyFailed('did not answer in time')), connectTimeoutMs)
    connecting.on('error', (cause) => end(new ProxyFailed('could not be reached, or closed the connection', { cause })))
    connecting.once('connect', ({ statusCode = 0 }, socket: Socket, head) => {
      tunnelled = socket.on('error', (cause) => end(new ProxyFailed('closed the connection', { cause })))
      clearTimeout(timer)
      if (isOver) return void socket.destroy()
      if (statusCode !== 200) return end(new ProxyFailed(`answered with status ${statusCode}`))
      if (head.length > 0) socket.unshift(head)
      if (!isTls) return end(null, socket)
      // As without a proxy, the server name has no trailing dot.
      const servername = target.hostname.replace(/\.$/, '')
      upgrade({ ...target, ...(isIP(servername) === 0 && { servername }), httpSocket: socket }, (...[error, secured]) =>
        end(error, secured ?? undefined),
      )
    })
    connecting.end()
    return () => end(new ProxyFailed('was not needed any more'))
  }
}
