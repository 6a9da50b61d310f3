import { type TcpNetConnectOpts, isIP } from 'node:net'
import type { buildConnector } from 'undici'

/** Sockets that only note where they would connect, looking names up as node:net does, and then break. */
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

/** Asks the connector for a connection to where the URL says; what it answers instead of one. */
export function attempt(guard: buildConnector.connector, href: string): Promise<Error | null> {
  const { hostname, host, protocol, port } = new URL(href)
  return new Promise((resolve) => {
    guard({ hostname: hostname.replace(/^\[|\]$/g, ''), host, protocol, port }, (...[error]) => resolve(error))
  })
}
