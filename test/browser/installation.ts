import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { DurableEventQueue, createNodeSigner, createUndiciSender, migrate, openSqlite } from '@keepsend/adapter-node'
import { type Operator, createDashboard } from '@keepsend/dashboard'
import { type Engine, createEngine, createKeyRing, silentLogger } from '@keepsend/engine'
import { Hono } from 'hono'
import { type Receivers, startReceivers } from './receivers.ts'
import type { EndpointName } from './story/endpoints.ts'
import { LOOPBACK_TOO, STORY_ENGINE, type StoryIds, writeStory } from './story/story.ts'

/** Where the dashboard is mounted. */
export const MOUNT = '/admin/webhooks'

export const OPERATOR: Operator = { name: 'dana@plover.example', role: 'act' }

const SECRETS = createKeyRing([{ id: 'test', key: Buffer.alloc(32, 'keepsend').toString('base64') }])
const MEMORY = '/dev/shm'

/** A database file with the story in it, whose endpoints are receivers on 127.0.0.1. */
export interface StoryFile {
  file: string
  ids: StoryIds
  receivers: Receivers
  /** The path of an endpoint at the receivers. */
  pathOf: (name: EndpointName) => string
  remove(): void
}

/** @param at when the story ends. @default now */
export async function writeStoryFile(at = Date.now(), areReal = true): Promise<StoryFile> {
  const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'keepsend-browser-'))
  const file = join(folder, 'story.db')
  const receivers = await startReceivers()
  const pathOf = (name: EndpointName): string => `/${name}`
  const db = openSqlite(file, { synchronous: 'NORMAL' })
  try {
    await migrate(db)
    const urlOf = areReal ? (name: EndpointName) => receivers.url + pathOf(name) : undefined
    const ids = await writeStory(db, { at, secrets: SECRETS, ...(urlOf && { urlOf }) })
    return {
      file,
      ids,
      receivers,
      pathOf,
      remove() {
        receivers.stop()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  } finally {
    db.close()
  }
}

/** An installation on a copy of the story: the engine, the dashboard on an HTTP server, and a poller that is not started. */
export interface Installation {
  /** The dashboard's address, without a slash at its end. */
  url: string
  engine: Engine
  /** Delivers from now on. */
  start(): Promise<void>
  /** Who sends requests from now on. */
  as: (operator: Operator) => void
  stop(): Promise<void>
}

let copies = 0

export async function openInstallation({ file }: Pick<StoryFile, 'file'>): Promise<Installation> {
  const own = `${file}.${copies++}`
  copyFileSync(file, own)
  const db = openSqlite(own, { synchronous: 'NORMAL' })
  const sender = createUndiciSender({ urlPolicy: LOOPBACK_TOO })
  const queue = new DurableEventQueue({ db })
  const engine: Engine = createEngine({
    ...STORY_ENGINE,
    db,
    queue,
    sender,
    signer: createNodeSigner(),
    secrets: SECRETS,
    logger: silentLogger,
    workerId: 'poller-2',
  })
  let operator = OPERATOR
  const app = new Hono()
    .get('/favicon.ico', (c) => c.body(null, 204))
    .route(MOUNT, createDashboard({ engine, authorize: () => operator, environment: 'production' }))
  const server = await new Promise<Server>((resolve) => {
    const started = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(started as Server))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${MOUNT}`,
    engine,
    start: () => queue.start(engine),
    as: (next) => void (operator = next),
    async stop() {
      server.close()
      server.closeAllConnections()
      await queue.stop({ drainMs: 0 })
      await sender.close()
      db.close()
      for (const part of ['', '-wal', '-shm']) rmSync(own + part, { force: true })
    },
  }
}
