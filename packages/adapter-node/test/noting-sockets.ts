import { type TcpNetConnectOpts, isIP } from 'node:net'
import type { buildConnector } from 'undici'

/** Sockets that only record where they would connect, after a look-up like node:net's, and then fail. */
export function notingSockets(connectedTo: string[]): typeof buildConnector {
  return (options) =>
    ({ hostname }, callback) => {
      const broken = new Error('nothing is behind these sockets')
      if (isIP(hostname) > 0) {
        connectedTo.push(hostname)
        return callback(broken, null)
      }
      const { lookup } = options as TcpNetConnectOpts
      lookup?.(hostname, { all: true }, (error, addresses) => {
        if (error) return callback(error, null)
        if (Array.isArray(addresses) && addresses[0]) connectedTo.push(addresses[0].address)
        callback(broken, null)
      })
    }
}

/** Connects to the host of the URL with the connector, and returns its error. */
export function attempt(guard: buildConnector.connector, href: string): Promise<Error | null> {
  const { hostname, host, protocol, port } = new URL(href)
  return new Promise((resolve) => {
    guard({ hostname: hostname.replace(/^\[|\]$/g, ''), host, protocol, port }, (...[error]) => resolve(error))
  })
}
