// The app on a real file, with a queue that only looks: nothing is ever delivered, so every row stays as it was made.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import { type Engine, type QueuedEvent, createEngine } from '@keepsend/engine'
import Database from 'better-sqlite3'
import type { Hono } from 'hono'
import { createApp } from '../src/app.ts'
import { type AppEnv, OPERATOR } from '../src/context.ts'
import type { StepRequest } from '../src/tour.ts'

export interface TestApp {
  app: Hono<AppEnv>
  engine: Engine
  /** Another connection to the file: it sees what is committed, and nothing else. */
  onlooker: Database.Database
  /** What the queue was told, and whether the row was committed at that moment. */
  told: { outboxId: string; committed: boolean }[]
  keys: { operator: string; workspace: string }
  /** Rows of an event that are committed now. */
  rowsOf(eventId: string): { id: string; type: string; status: string }[]
  /** Changes with every commit that is not the onlooker's: the same number means that nothing was written. */
  version(): unknown
  send(request: StepRequest, options: { key?: string; idempotencyKey?: string }): Promise<Response>
  close(): void
}

/** The app with a workspace, keys, and an endpoint for every event of each of the two workspaces. */
export async function openApp(): Promise<TestApp> {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-demo-test-'))
  const file = join(folder, 'app.db')
  const db = openSqlite(file)
  await migrate(db, { directory: new URL('../migrations/sqlite/', import.meta.url) })
  const onlooker = new Database(file, { readonly: true })
  const isThere = onlooker.prepare('select 1 from pending_events where id = ?')
  const told: TestApp['told'] = []
  const send = (message: QueuedEvent): Promise<void> => {
    const { outboxId = '' } = message
    told.push({ outboxId, committed: isThere.get(outboxId) !== undefined })
    return Promise.resolve()
  }
  const engine = createEngine({ db, queue: { send } })
  const app = createApp(engine)

  const workspace = { id: 'w1', name: 'Acme' }
  await db.run({
    sql: 'insert into workspaces (id, name, created_at) values (?, ?, ?)',
    params: [workspace.id, workspace.name, ''],
  })
  const key = async (workspaceId: string): Promise<string> => (await engine.apiKeys.create({ workspaceId })).key
  const keys = { operator: await key(OPERATOR), workspace: await key(workspace.id) }
  for (const workspaceId of [OPERATOR, workspace.id])
    await engine.endpoints.create(workspaceId, { url: 'https://example.com/hook' })

  const rows = onlooker.prepare(
    `select id, event_type as "type", status from pending_events where id > ? || '.' and id < ? || '/'`,
  )
  const version = onlooker.prepare('pragma data_version').pluck()
  return {
    app,
    engine,
    onlooker,
    told,
    keys,
    rowsOf: (eventId) => rows.all(eventId, eventId) as ReturnType<TestApp['rowsOf']>,
    version: () => version.get(),
    async send({ method, path, body }, options) {
      const headers = new Headers()
      if (options.key !== undefined) headers.set('authorization', `Bearer ${options.key}`)
      if (options.idempotencyKey !== undefined) headers.set('idempotency-key', options.idempotencyKey)
      return app.request(path, { method, headers, ...(body !== undefined && { body }) })
    },
    close() {
      onlooker.close()
      db.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** `METHOD /path` of every route that changes something, as the app itself lists them; Keepsend's own are not the app's. */
export function mutatingRoutes(app: Hono<AppEnv>): string[] {
  const routes = app.routes
    .filter(({ method, path }) => !['GET', 'HEAD', 'OPTIONS', 'ALL'].includes(method) && !path.startsWith('/webhooks'))
    .map(({ method, path }) => `${method} ${path}`)
  return [...new Set(routes)]
}
