import { EngineError, type Engine, keepsend, problemResponse, recallAnswer } from '@keepsend/engine'
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
  app.onError((error) => {
    if (!(error instanceof EngineError) && !isConflict(error))
      engine.logger.error({ error: String(error) }, 'a route failed')
    return problemResponse(
      isConflict(error) ? new EngineError('conflict', 'that is there already, or what it belongs to is gone') : error,
    )
  })
  app.notFound(() => problemResponse(new EngineError('not_found', 'no such route')))

  app.use(keepsend(engine))
  app.route('/webhooks', engine.routes)
  app.use(async (c, next) => {
    const principal = await engine.apiKeys.authenticate(c.req.raw)
    if (!principal) throw new EngineError('unauthenticated', 'this needs an API key: Authorization: Bearer ks_…')
    c.set('workspaceId', principal.workspaceId)
    // Before the routes: the repeat of a DELETE finds nothing to delete, and wants its first answer.
    return (await recallAnswer(c, principal.workspaceId)) ?? next()
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

/** A unique or foreign key that said no: in these words on better-sqlite3 and on D1. */
function isConflict(error: Error): boolean {
  return /(UNIQUE|FOREIGN KEY) constraint failed/.test(error.message)
}
