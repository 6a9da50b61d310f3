import {
  DurableEventQueue,
  type SqliteDatabase,
  createNodeSigner,
  createUndiciSender,
  migrate,
  openSqlite,
} from '@keepsend/adapter-node'
import { type Engine, createEngine, createKeyRing } from '@keepsend/engine'

/** One for the process: Next.js loads this module anew for each route that imports it, and on each change in development. */
export interface Webhooks {
  db: SqliteDatabase
  engine: Engine
}

const everywhere = globalThis as { webhooks?: Promise<Webhooks> }

export function webhooks(): Promise<Webhooks> {
  return (everywhere.webhooks ??= start())
}

async function start(): Promise<Webhooks> {
  const db = openSqlite('app.db')
  await migrate(db)
  db.connection.exec('create table if not exists messages (id text primary key, text text not null)')
  const queue = new DurableEventQueue({ db })
  const secrets = createKeyRing(process.env.KEEPSEND_SECRET_KEY)
  const urlPolicy = process.env.RECEIVER_PORT
    ? { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: [Number(process.env.RECEIVER_PORT)] }
    : {}
  const engine = createEngine({
    db,
    queue,
    secrets,
    sender: createUndiciSender({ urlPolicy }),
    signer: createNodeSigner(),
  })
  await queue.start(engine)
  return { db, engine }
}
