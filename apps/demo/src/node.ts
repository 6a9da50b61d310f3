// The app on Node: binds it to a database and a port. DATABASE_URL: a Postgres database, which any number of processes may
// share. Without it, a SQLite file. KEEPSEND_SECRET_KEY: the key that encrypts secrets.
import { createNodeServer } from '@keepsend/adapter-node'
import { type Engine, createKeyRing } from '@keepsend/engine'
import { createApp } from './app.ts'
import { type Catalog, catalog } from './catalog.ts'
import { announceReady } from './child.ts'
import { OPERATOR } from './context.ts'

const { DATABASE_URL: postgres, DEMO_FILE: file = 'demo.db', PORT: port = '3000' } = process.env
const migrations = (database: string): URL => new URL(`../migrations/${database}/`, import.meta.url)

const options = {
  port: Number(port),
  secrets: createKeyRing(process.env['KEEPSEND_SECRET_KEY']),
  app: ({ engine }: { engine: Engine<Catalog> }) => createApp(engine),
  // Allows the demo's receiver on loopback and any port, which a real installation should not. Short deadlines allow a short
  // lease, so that another process takes over the claims of a killed one within seconds.
  engine: {
    catalog,
    urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' as const },
    // Finds a recovered receiver within a second; a minute is enough for real ones.
    circuit: { openMs: 1000 },
    deadlineMs: 1000,
    maxDeadlineMs: 2000,
    logger: { info: () => {}, warn: log, error: log },
  },
  queue: { leaseMs: 4000 },
}
const server = postgres
  ? await createNodeServer({ ...options, postgres, migrations: migrations('postgres') })
  : await createNodeServer({ ...options, file, migrations: migrations('sqlite') })

const keys = await server.engine.apiKeys.list(OPERATOR)
const operator =
  keys.length === 0 ? await server.engine.apiKeys.create({ workspaceId: OPERATOR, name: 'first' }) : undefined
announceReady({ url: server.url, ...(operator && { operatorKey: operator.key }) }, () => server.stop({ drainMs: 2000 }))

function log(fields: Record<string, unknown>, message: string): void {
  console.error(JSON.stringify({ message, ...fields }))
}
