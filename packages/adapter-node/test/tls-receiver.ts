import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type ServerOptions, createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { EndpointTls } from '@keepsend/engine'
import { onTestFinished } from 'vitest'

/** Certificates valid until 2126, of one authority except the stranger's. Each file contains the key too. */
export const PEM = {
  ca: certificate('ca'),
  server: certificate('server'),
  stranger: certificate('stranger'),
  encryptedKey: certificate('encrypted-key'),
}

/** The `tls` of an endpoint with the client certificate of that name. */
export function client(name: 'one' | 'two' | 'stranger'): Required<EndpointTls> {
  const pem = certificate(name)
  return { cert: pem, key: pem, ca: PEM.ca }
}

function certificate(name: string): string {
  return readFileSync(new URL(`certificates/${name}.pem`, import.meta.url), 'utf8')
}

export interface TlsReceiver {
  url: string
  /** The certificate and path of each request. One with a query is the last of its connection. */
  requests: { path: string; by: string | undefined; isResumed: boolean }[]
  connections: () => number
  open: () => number
}

/** A receiver of the test authority. With `requestCert` and `rejectUnauthorized` it requires a client certificate of it. */
export async function startTlsReceiver(options: ServerOptions = {}): Promise<TlsReceiver> {
  const requests: TlsReceiver['requests'] = []
  let connections = 0
  let open = 0
  const server = createServer({ key: PEM.server, cert: PEM.server, ca: PEM.ca, ...options }, (request, response) => {
    const socket = request.socket instanceof TLSSocket ? request.socket : undefined
    // An empty object where there is none.
    const { subject } = socket?.getPeerCertificate() ?? {}
    const by = subject === undefined ? undefined : String(subject.CN)
    const [path = '', last] = (request.url ?? '').split('?')
    requests.push({ path, by, isResumed: socket?.isSessionReused() ?? false })
    if (last) response.setHeader('connection', 'close')
    request.resume().on('end', () => response.end())
  })
  server.on('secureConnection', (socket) => {
    connections++
    open++
    socket.once('close', () => open--)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { url: `https://127.0.0.1:${port}/`, requests, connections: () => connections, open: () => open }
}

/** For a receiver that requires a certificate of the test authority. */
export const MUTUAL: ServerOptions = { requestCert: true, rejectUnauthorized: true }
