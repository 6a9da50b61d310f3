import {
  DurableEventQueue,
  type SqliteDatabase,
  createNodeSigner,
  createUndiciSender,
  migrate,
  onSignals,
  openSqlite,
} from '@keepsend/adapter-node'
import { type Engine, createEngine, createKeyRing } from '@keepsend/engine'

export interface Webhooks {
  db: SqliteDatabase
  engine: Engine
}

// Next.js loads this module again for each route that imports it, and after each change in development. The promise on
// `globalThis` gives all of them the same engine.
const shared = globalThis as { webhooks?: Promise<Webhooks> }

/** The engine of the process, started by the first call. */
export function webhooks(): Promise<Webhooks> {
  return (shared.webhooks ??= start())
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
  const sender = createUndiciSender({ urlPolicy })
  const engine = createEngine({ db, queue, secrets, sender, signer: createNodeSigner() })
  await queue.start(engine)
  // On SIGTERM and SIGINT: finish the attempts in flight, settle them, and end the process.
  onSignals(async () => {
    await queue.stop({ drainMs: 10_000 })
    await sender.close()
    db.close()
  })
  return { db, engine }
}
