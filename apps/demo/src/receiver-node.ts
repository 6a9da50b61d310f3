// The receiver as a process. RECEIVER_FILE: the file of its arrivals. PORT: 0 uses any free port. EXPIRED: a second server, by https,
// whose certificate has expired.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { announceReady } from './child.ts'
import { createReceiver } from './receiver.ts'

const { RECEIVER_FILE: file, EXPIRED: hasExpired } = process.env
const receiver = createReceiver({ ...(file !== undefined && { file }), die: () => process.exit(1) })
const expiredPort = hasExpired === undefined ? undefined : await listenExpired()
const server = serve(
  { fetch: receiver.fetch, hostname: '127.0.0.1', port: Number(process.env['PORT'] ?? 4000) },
  (info) => {
    const expired = expiredPort === undefined ? {} : { expiredUrl: `https://127.0.0.1:${expiredPort}` }
    announceReady({ url: `http://127.0.0.1:${info.port}`, ...expired }, stop)
  },
)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop().then(() => process.exit(0)))

// Requests that stall would keep the server open.
async function stop(): Promise<void> {
  if ('closeAllConnections' in server) server.closeAllConnections()
  await new Promise<void>((resolve) => server.close(() => resolve()))
}

/** A server that no careful client talks to: each ends the handshake. It ends with the process. */
async function listenExpired(): Promise<number> {
  const pem = readFileSync(new URL('../certificates/expired.pem', import.meta.url), 'utf8')
  const expired = createServer({ key: pem, cert: pem }, (_request, response) => response.end())
  expired.on('tlsClientError', () => {})
  expired.listen(0, '127.0.0.1').unref()
  await once(expired, 'listening')
  return (expired.address() as AddressInfo).port
}
