// The app on Node: binds it to a database and a port. DATABASE_URL: a Postgres database, which any number of processes may
// share. Without it, a SQLite file. KEEPSEND_SECRET_KEY: the key that encrypts secrets. SIGN_IN_SECRET: opens the operator's
// dashboard; without it a random one for each start. LOG: `error` logs no warnings, such as those of failed attempts.
import { randomBytes } from 'node:crypto'
import { createNodeServer } from '@keepsend/adapter-node'
import { type Engine, createKeyRing } from '@keepsend/engine'
import { createApp } from './app.ts'
import { type Catalog, catalog } from './catalog.ts'
import { announceReady } from './child.ts'
import { OPERATOR } from './context.ts'
import { createPages } from './pages.ts'
import { operatorLink } from './sign-in.ts'
import { timesOf } from './times.ts'

const { DATABASE_URL: postgres, DEMO_FILE: file = 'demo.db', PORT: port = '3000' } = process.env
const { SIGN_IN_SECRET: signInSecret = randomBytes(24).toString('base64url'), WORKER_ID: workerId } = process.env
const migrations = (database: string): URL => new URL(`../migrations/${database}/`, import.meta.url)
const times = timesOf(process.env['DEMO_TIMES'])

const options = {
  port: Number(port),
  secrets: createKeyRing(process.env['KEEPSEND_SECRET_KEY']),
  app: ({ engine }: { engine: Engine<Catalog> }) =>
    createApp(engine, { pages: createPages({ engine, signInSecret, environment: 'development' }) }),
  engine: {
    ...times.engine,
    workerId,
    catalog,
    // Allows the demo's receiver on loopback and any port, which a real installation should not.
    urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' as const },
    logger: { info: () => {}, warn: process.env['LOG'] === 'error' ? () => {} : log, error: log },
  },
  queue: { leaseMs: times.leaseMs },
}
const server = postgres
  ? await createNodeServer({ ...options, postgres, migrations: migrations('postgres') })
  : await createNodeServer({ ...options, file, migrations: migrations('sqlite') })

const keys = await server.engine.apiKeys.list(OPERATOR)
const operator =
  keys.length === 0 ? await server.engine.apiKeys.create({ workspaceId: OPERATOR, name: 'first' }) : undefined
announceReady(
  {
    url: server.url,
    dashboard: operatorLink(server.url, signInSecret),
    ...(operator && { operatorKey: operator.key }),
  },
  () => server.stop({ drainMs: 2000 }),
)

function log(fields: Record<string, unknown>, message: string): void {
  console.error(JSON.stringify({ message, ...fields }))
}
