import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { DurableEventQueue, createNodeSigner, createUndiciSender, migrate, openSqlite } from '@keepsend/adapter-node'
import { type DashboardOptions, type Operator, createDashboard } from '@keepsend/dashboard'
import { type Engine, type EngineOptions, createEngine, createKeyRing, silentLogger } from '@keepsend/engine'
import { Hono } from 'hono'
import { memoryFolder } from '../../scripts/memory-folder.ts'
import { type Receivers, startReceivers } from './receivers.ts'
import type { EndpointName } from './story/endpoints.ts'
import { LOOPBACK_TOO, STORY_ENGINE, type StoryIds, writeStory } from './story/story.ts'

/** Where the dashboard is mounted. */
export const MOUNT = '/admin/webhooks'

export const OPERATOR: Operator = { name: 'dana@plover.example', role: 'act' }

const SECRETS = createKeyRing([{ id: 'test', key: Buffer.alloc(32, 'keepsend').toString('base64') }])
// Some copies of a story.
const FOLDER_BYTES = 2 ** 28

/** A folder for databases, in memory where the machine has one there. */
export function openFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(memoryFolder(FOLDER_BYTES) ?? tmpdir(), 'keepsend-browser-'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** A database file with the story in it, whose endpoints are receivers on 127.0.0.1. */
export interface StoryFile {
  file: string
  ids: StoryIds
  receivers: Receivers
  /** The path of an endpoint at the receivers. */
  pathOf: (name: EndpointName) => string
  remove(): void
}

/**
 * @param at when the story ends. @default now
 * @param urls the URLs of its endpoints: of receivers on 127.0.0.1, or those by which the story names them. @default 'real'
 */
export async function writeStoryFile(at = Date.now(), urls: 'real' | 'named' = 'real'): Promise<StoryFile> {
  const { folder, remove } = openFolder()
  const file = join(folder, 'story.db')
  const receivers = await startReceivers()
  const pathOf = (name: EndpointName): string => `/${name}`
  const db = openSqlite(file, { synchronous: 'NORMAL' })
  try {
    await migrate(db)
    const urlOf = urls === 'real' ? (name: EndpointName) => receivers.url + pathOf(name) : undefined
    const ids = await writeStory(db, { at, secrets: SECRETS, ...(urlOf && { urlOf }) })
    return {
      file,
      ids,
      receivers,
      pathOf,
      remove() {
        receivers.stop()
        remove()
      },
    }
  } finally {
    db.close()
  }
}

/** Stops the database's clock of a story at its end, for pictures. */
export function stopClock(file: string, at: number): void {
  const db = openSqlite(file)
  db.connection.exec(`drop view keepsend_clock; create view keepsend_clock as select ${at} as ms`)
  db.close()
}

/** An installation: the engine, the pages on an HTTP server, and a poller that is not started. */
export interface Installation {
  /** The address of the server, without a slash at its end. */
  origin: string
  /** The dashboard's address, without a slash at its end. */
  url: string
  engine: Engine
  /** Delivers from now on. */
  start(): Promise<void>
  /** Who sends requests to the dashboard from now on. */
  as: (operator: Operator) => void
  stop(): Promise<void>
}

export interface InstallationOptions {
  engine?: Partial<EngineOptions>
  dashboard?: Partial<DashboardOptions>
  /** Mounts further pages. */
  mount?: (app: Hono, engine: Engine) => void
}

let copies = 0

/** Opens a copy of the story, so that a test may change it. */
export async function openInstallation(
  { file }: Pick<StoryFile, 'file'>,
  options: InstallationOptions = {},
): Promise<Installation> {
  const copy = `${file}.${copies++}`
  copyFileSync(file, copy)
  const installation = await serveFile(copy, options)
  return {
    ...installation,
    async stop() {
      await installation.stop()
      for (const part of ['', '-wal', '-shm']) rmSync(copy + part, { force: true })
    },
  }
}

/** Opens a database file, which is made if it does not exist. */
export async function serveFile(file: string, options: InstallationOptions = {}): Promise<Installation> {
  const db = openSqlite(file, { synchronous: 'NORMAL' })
  await migrate(db)
  const sender = createUndiciSender({ urlPolicy: LOOPBACK_TOO })
  const queue = new DurableEventQueue({ db })
  const engine: Engine = createEngine({
    ...STORY_ENGINE,
    signer: createNodeSigner(),
    secrets: SECRETS,
    logger: silentLogger,
    workerId: 'poller-2',
    ...options.engine,
    db,
    queue,
    sender,
  })
  let operator = OPERATOR
  const dashboard = createDashboard({
    engine,
    authorize: () => operator,
    environment: 'production',
    ...options.dashboard,
  })
  const app = new Hono().get('/favicon.ico', (c) => c.body(null, 204)).route(MOUNT, dashboard)
  options.mount?.(app, engine)
  const server = await new Promise<Server>((resolve) => {
    const started = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(started as Server))
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    url: origin + MOUNT,
    engine,
    start: () => queue.start(engine),
    as: (next) => void (operator = next),
    async stop() {
      server.close()
      server.closeAllConnections()
      await queue.stop({ drainMs: 0 })
      await sender.close()
      db.close()
    },
  }
}
