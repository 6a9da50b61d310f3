// The app on Node: this file binds it to a SQLite file and a port, and that is all there is to it.
import { createNodeServer } from '@keepsend/adapter-node'
import { createApp } from './app.ts'
import { announceReady } from './child.ts'
import { OPERATOR } from './context.ts'

const server = await createNodeServer({
  file: process.env['DEMO_FILE'] ?? 'demo.db',
  port: Number(process.env['PORT'] ?? 3000),
  migrations: new URL('../migrations/sqlite/', import.meta.url),
  app: ({ engine }) => createApp(engine),
  // A receiver beside it, on the loopback address and any port: nothing that a real installation should open. Short
  // deadlines, so that the lease can be short and what a killed process held is taken over within seconds.
  engine: {
    urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
    deadlineMs: 1000,
    maxDeadlineMs: 2000,
    logger: { info: () => {}, warn: log, error: log },
  },
  queue: { leaseMs: 4000 },
})

const keys = await server.engine.apiKeys.list(OPERATOR)
const operator =
  keys.length === 0 ? await server.engine.apiKeys.create({ workspaceId: OPERATOR, name: 'first' }) : undefined
announceReady({ url: server.url, ...(operator && { operatorKey: operator.key }) }, () => server.stop({ drainMs: 2000 }))

function log(fields: Record<string, unknown>, message: string): void {
  console.error(JSON.stringify({ message, ...fields }))
}
