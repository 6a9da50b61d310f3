// The app on a database of the test, with a queue that only records: nothing is delivered, so every row stays as inserted.
import { type Engine, createEngine, silentLogger } from '@keepsend/engine'
import type { OutboxDatabase } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import type { Hono } from 'hono'
import { createApp } from '../src/app.ts'
import { catalog } from '../src/catalog.ts'
import { type AppEnv, OPERATOR } from '../src/context.ts'
import type { StepRequest } from '../src/tour.ts'

/** A database with every migration applied, and functions that read its committed state. */
export interface Ground {
  db: OutboxDatabase
  /** Rows that are committed at the time of the call. */
  look: (sql: string, ...params: string[]) => Promise<Record<string, unknown>[]>
  /** Changes with every write of the app: an equal result means that nothing was written. May be a promise. */
  version(): unknown
  close(): void | Promise<void>
}

export interface TestApp extends Omit<Ground, 'db' | 'look'> {
  app: Hono<AppEnv>
  engine: Engine
  /** The rows that the queue was notified of, and whether each was committed at that time. */
  told: { outboxId: string; committed: boolean }[]
  keys: { operator: string; workspace: string }
  /** Rows of an event that are committed now. */
  rowsOf(eventId: string): Promise<{ id: string; type: string; status: string }[]>
  /** Rows of a type that are committed now. */
  countOf(type: string): Promise<number>
  /** The response, as soon as it is ready. */
  send(request: StepRequest, options: { key?: string; idempotencyKey?: string }): Promise<Response>
  /** Statements that the app has started and not finished. */
  unfinished(): number
  /** Resolves when the background work of earlier responses is done. */
  settled(): Promise<void>
}

/** The app with a workspace, keys, and an endpoint for every event of each of the two workspaces. */
export async function openAppOn({ db, look, ...ground }: Ground): Promise<TestApp> {
  const told: TestApp['told'] = []
  const send = async ({ outboxId = '' }: { outboxId?: string | undefined }): Promise<void> => {
    const rows = await look('select 1 from pending_events where id = ?', outboxId)
    told.push({ outboxId, committed: rows.length > 0 })
  }
  let open = 0
  const watch = async <T>(work: Promise<T>): Promise<T> => {
    open++
    return work.finally(() => open--)
  }
  const watched = {
    ...db,
    run: (statement) => watch(db.run(statement)),
    atomic: (statements) => watch(db.atomic(statements)),
  } satisfies OutboxDatabase
  const engine = createEngine({
    db: watched,
    queue: { send },
    catalog,
    secrets: 'plaintext-for-development',
    logger: silentLogger,
  })
  const app = createApp(engine)

  await db.run(sqlText`insert into workspaces (id, name, created_at) values ('w1', 'Acme', '')`)
  const key = async (workspaceId: string): Promise<string> => {
    const made = await engine.apiKeys.create({ workspaceId })
    // Used once, so that the first use is not recorded during a later request.
    await engine.apiKeys.authenticate(new Request('http://app/', { headers: { authorization: `Bearer ${made.key}` } }))
    return made.key
  }
  const keys = { operator: await key(OPERATOR), workspace: await key('w1') }
  for (const workspaceId of [OPERATOR, 'w1'])
    await engine.endpoints.create(workspaceId, { url: 'https://example.com/hook' })

  const background: Promise<unknown>[] = []
  const context = {
    waitUntil: (work: Promise<unknown>) => void background.push(work),
    passThroughOnException() {},
    props: {},
  }
  return {
    ...ground,
    app,
    engine,
    told,
    keys,
    async rowsOf(eventId) {
      const sql = `select id, event_type as "type", status from pending_events where id > ? || '.' and id < ? || '/'`
      return (await look(sql, eventId, eventId)) as Awaited<ReturnType<TestApp['rowsOf']>>
    },
    async countOf(type) {
      return (await look('select 1 from pending_events where event_type = ?', type)).length
    },
    async send({ method, path, body }, options) {
      const headers = new Headers()
      if (options.key !== undefined) headers.set('authorization', `Bearer ${options.key}`)
      if (options.idempotencyKey !== undefined) headers.set('idempotency-key', options.idempotencyKey)
      return app.request(path, { method, headers, ...(body !== undefined && { body }) }, {}, context)
    },
    unfinished: () => open,
    async settled() {
      await Promise.all(background.splice(0))
    },
  }
}

/** `METHOD /path` of every mutating route in the app's route table, without Keepsend's own. */
export function mutatingRoutes(app: Hono<AppEnv>): string[] {
  const routes = app.routes
    .filter(({ method, path }) => !['GET', 'HEAD', 'OPTIONS', 'ALL'].includes(method) && !path.startsWith('/webhooks'))
    .map(({ method, path }) => `${method} ${path}`)
  return [...new Set(routes)]
}
