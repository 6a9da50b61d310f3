import { type Engine, EngineError, keepsend, problemResponse, replayIdempotentResponse } from '@keepsend/engine'
import { OutboxError } from '@keepsend/outbox'
import { Hono } from 'hono'
import type { Catalog } from './catalog.ts'
import type { AppEnv } from './context.ts'
import { channelRoutes } from './routes/channels.ts'
import { commandRoutes } from './routes/commands.ts'
import { conversationRoutes } from './routes/conversations.ts'
import { fileRoutes } from './routes/files.ts'
import { memberRoutes } from './routes/members.ts'
import { messageRoutes } from './routes/messages.ts'
import { pinRoutes } from './routes/pins.ts'
import { reactionRoutes } from './routes/reactions.ts'
import { receiptRoutes } from './routes/receipts.ts'
import { replyRoutes } from './routes/replies.ts'
import { workspaceRoutes } from './routes/workspaces.ts'

export interface AppOptions {
  /** Keepsend's pages, see `createPages`. @default none */
  pages?: Hono | undefined
}

/** The messaging app with Keepsend's own API beside it, on the runtime and database of the engine. Apply `migrations/` first. */
export function createApp(engine: Engine<Catalog>, { pages }: AppOptions = {}): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  app.onError((error) => problemResponse(toApiError(error), engine.logger))
  app.notFound(() => problemResponse(new EngineError('not_found', 'no such route')))

  app.use(keepsend(engine))
  app.route('/webhooks', engine.routes)
  // Before the API keys: people sign in otherwise.
  if (pages) app.route('/', pages)
  app.use(async (c, next) => {
    const principal = await engine.apiKeys.authenticate(c.req.raw)
    if (!principal) throw new EngineError('unauthenticated', 'this needs an API key: Authorization: Bearer ks_…')
    c.set('workspaceId', principal.workspaceId)
    // Before the routes: a repeated DELETE finds nothing to delete, and must get its first response.
    return (await replayIdempotentResponse(c, principal.workspaceId)) ?? next()
  })

  app.route('/', workspaceRoutes)
  app.route('/', memberRoutes)
  app.route('/', channelRoutes)
  app.route('/', messageRoutes)
  app.route('/', replyRoutes)
  app.route('/', reactionRoutes)
  app.route('/', pinRoutes)
  app.route('/', conversationRoutes)
  app.route('/', fileRoutes)
  app.route('/', receiptRoutes)
  app.route('/', commandRoutes)
  return app
}

/** Translates errors of the database into errors of the API. */
function toApiError(error: Error): Error {
  // From a read before the commit; the engine reports refused commits itself.
  if (error instanceof OutboxError && error.code === 'not_accepted')
    return new EngineError('not_accepted', 'the database refused; nothing was stored', { retryAfterSeconds: 1 })
  if (error instanceof OutboxError && error.code === 'commit_unconfirmed')
    return new EngineError(
      'commit_unconfirmed',
      'the connection to the database ended before its response; repeat the request',
    )
  if (isConflict(error)) return new EngineError('conflict', 'it exists already, or its parent was deleted')
  if (isUnstorable(error)) return new EngineError('invalid_request', 'a text contains a NUL character; remove it')
  return error
}

/** A violated unique or foreign key, by the messages of better-sqlite3 and D1, and of Postgres. */
function isConflict(error: Error): boolean {
  return /(UNIQUE|FOREIGN KEY) constraint failed|violates (unique|foreign key) constraint/.test(error.message)
}

/** Postgres stores no text with a NUL character, and cannot search for one. */
function isUnstorable(error: Error): boolean {
  return error.message.includes('invalid byte sequence for encoding')
}
