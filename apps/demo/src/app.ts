import { EngineError, type Engine, keepsend, problemResponse, replayIdempotentResponse } from '@keepsend/engine'
import { OutboxError } from '@keepsend/outbox'
import { Hono } from 'hono'
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

/**
 * The messaging app with Keepsend's own API beside it, on whatever runtime and database the engine was made for. The
 * tables of `migrations/` must be there.
 */
export function createApp(engine: Engine): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  app.onError((error) => problemResponse(inWords(error), engine.logger))
  app.notFound(() => problemResponse(new EngineError('not_found', 'no such route')))

  app.use(keepsend(engine))
  app.route('/webhooks', engine.routes)
  app.use(async (c, next) => {
    const principal = await engine.apiKeys.authenticate(c.req.raw)
    if (!principal) throw new EngineError('unauthenticated', 'this needs an API key: Authorization: Bearer ks_…')
    c.set('workspaceId', principal.workspaceId)
    // Before the routes: the repeat of a DELETE finds nothing to delete, and wants its first answer.
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

/** What the database said, in the words of the API. */
function inWords(error: Error): Error {
  // Of a look before the commit; the commit's own refusals the engine has answered.
  if (error instanceof OutboxError && error.code === 'not_accepted')
    return new EngineError('not_accepted', 'the database refused, nothing was kept', { retryAfterSeconds: 1 })
  if (error instanceof OutboxError && error.code === 'commit_unconfirmed')
    return new EngineError('commit_unconfirmed', 'the connection to the database ended before its answer came')
  if (isConflict(error)) return new EngineError('conflict', 'that is there already, or what it belongs to is gone')
  if (isUnstorable(error)) return new EngineError('invalid_request', 'a text holds a NUL')
  return error
}

/** A unique or foreign key that said no: in these words on better-sqlite3 and on D1, and in those on Postgres. */
function isConflict(error: Error): boolean {
  return /(UNIQUE|FOREIGN KEY) constraint failed|violates (unique|foreign key) constraint/.test(error.message)
}

/** Postgres keeps no text with a NUL in it, and looks for none. */
function isUnstorable(error: Error): boolean {
  return error.message.includes('invalid byte sequence for encoding')
}
