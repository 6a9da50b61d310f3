import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import { type Engine, type EngineOptions, createEngine, keepsend } from '@keepsend/engine'
import { Hono } from 'hono'
import { DurableEventQueue, type DurableEventQueueOptions } from './durable-event-queue.ts'
import { migrate } from './migrate.ts'
import { type OpenSqliteOptions, type SqliteDatabase, openSqlite } from './open.ts'
import { createUndiciSender } from './send.ts'
import { onSignals } from './shutdown.ts'
import { createHmacSigner } from './sign.ts'

/** What an app is made from. */
export interface NodeServerParts {
  db: SqliteDatabase
  engine: Engine
  queue: DurableEventQueue
}

/** By its one method, so that a Hono app of any environment fits. */
interface FetchApp {
  fetch(request: Request): Response | Promise<Response>
}

export interface NodeServerOptions {
  /** The SQLite file; made if it is not there. */
  file: string
  /** 0 takes a free one. @default 3000 */
  port?: number
  /** @default '127.0.0.1' */
  hostname?: string
  /** The app around the engine: a Hono app, or what answers requests like one. @default the engine's routes under `/webhooks` */
  app?: (parts: NodeServerParts) => FetchApp
  /** A folder of the app's own `.sql` files. */
  migrations?: string | URL
  sqlite?: OpenSqliteOptions
  /** What differs from the defaults; delivered rows are kept 24 h. */
  engine?: Partial<Omit<EngineOptions, 'db' | 'queue'>>
  queue?: Omit<DurableEventQueueOptions, 'db'>
  /** Stop gracefully on SIGTERM and SIGINT. @default true */
  signals?: boolean
}

export interface NodeServer extends NodeServerParts {
  /** Where it listens. */
  url: string
  /** Answers nothing more, drains the deliveries, closes the file. A second call waits for the first. */
  stop(options?: { drainMs?: number }): Promise<void>
}

/** The whole thing in one process: the file, the engine, its poller and an HTTP server. Listens when this resolves. */
export async function createNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const { port = 3000, hostname = '127.0.0.1', signals = true } = options
  const db = openSqlite(options.file, options.sqlite)
  const sender = createUndiciSender()
  try {
    await migrate(db, options.migrations === undefined ? {} : { directory: options.migrations })
    const queue = new DurableEventQueue({ db, ...options.queue })
    const engine = createEngine({ sender, signer: createHmacSigner(), keepCompleted: true, ...options.engine, db, queue })
    const parts = { db, engine, queue }
    const app = options.app?.(parts) ?? new Hono().use(keepsend(engine)).route('/webhooks', engine.routes)
    const server = await listen(app, port, hostname)
    await queue.start(engine)

    let stopped: Promise<void> | undefined
    let removeSignals = (): void => {}
    const stop: NodeServer['stop'] = (drain) => {
      stopped ??= (async () => {
        removeSignals()
        await closeServer(server)
        await queue.stop(drain)
        await sender.close()
        db.close()
      })()
      return stopped
    }
    if (signals) removeSignals = onSignals(stop)
    const address = server.address() as AddressInfo
    return { ...parts, url: `http://${hostname}:${address.port}`, stop }
  } catch (error) {
    await sender.close()
    db.close()
    throw error
  }
}

function listen(app: FetchApp, port: number, hostname: string): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, port, hostname }, () => resolve(server))
    server.once('error', reject)
  })
}

function closeServer(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    // Requests under way are answered; connections that only wait for another are not waited for.
    if ('closeIdleConnections' in server) server.closeIdleConnections()
  })
}
