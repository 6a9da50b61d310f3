// The receiver as a process. RECEIVER_FILE: the file of its arrivals. PORT: 0 uses any free port.
import { serve } from '@hono/node-server'
import { announceReady } from './child.ts'
import { createReceiver } from './receiver.ts'

const file = process.env['RECEIVER_FILE']
const receiver = createReceiver({ ...(file !== undefined && { file }), die: () => process.exit(1) })
const server = serve(
  { fetch: receiver.fetch, hostname: '127.0.0.1', port: Number(process.env['PORT'] ?? 4000) },
  (info) => {
    announceReady({ url: `http://127.0.0.1:${info.port}` }, stop)
  },
)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop().then(() => process.exit(0)))

// Requests that stall would keep the server open.
async function stop(): Promise<void> {
  if ('closeAllConnections' in server) server.closeAllConnections()
  await new Promise<void>((resolve) => server.close(() => resolve()))
}
