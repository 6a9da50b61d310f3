import { type Authenticate, type Principal, checkPrincipal } from '../access/api-key.ts'
import { EngineError, asEngineError } from '../errors.ts'
import { UNSTORED, problemResponse } from '../problem.ts'
import { deliveryRoutes } from './deliveries.ts'
import { addDocument } from './document.ts'
import { answerOtherMethods, isOptions } from './methods.ts'
import { endpointRoutes } from './endpoints.ts'
import { endpointStateRoutes } from './endpoint-state.ts'
import { eventRoutes } from './events.ts'
import { healthRoutes } from './liveness.ts'
import { type RouteEngine, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { secretRoutes } from './secrets.ts'

/** The management API. Errors are problem documents, every route but health and the document itself asks who is asking. */
export function createRoutes(
  engine: RouteEngine,
  authenticate: Authenticate,
  { publicUrl, countRequest }: { publicUrl: string | undefined; countRequest: (principal: Principal) => void },
): EngineRoutes {
  const app = newRoutes()
  app.onError((error) => problemResponse(asEngineError(error), engine.logger))
  app.use(async (c, next) => {
    await next()
    for (const [name, value] of Object.entries(UNSTORED)) if (!c.res.headers.has(name)) c.header(name, value)
  })

  app.route('/', healthRoutes(engine))
  addDocument(app, publicUrl)
  answerOtherMethods(app)

  app.use(async (c, next) => {
    if (isOptions(c)) return next()
    const found = await authenticate(c.req.raw)
    if (!found) throw new EngineError('unauthenticated', 'this needs an API key: Authorization: Bearer ks_…')
    c.set('principal', checkPrincipal(found))
    countRequest(found)
    // In an id, a filter or a cursor: Postgres takes no such text, not even to look for it.
    if (c.req.url.includes('%00')) throw new EngineError('invalid_request', 'the URL holds a NUL (%00)')
    return next()
  })
  app.route('/', eventRoutes(engine))
  app.route('/', endpointRoutes(engine))
  app.route('/', endpointStateRoutes(engine))
  app.route('/', secretRoutes(engine))
  app.route('/', deliveryRoutes(engine))
  answerOtherMethods(app)
  // Not `notFound`: a host that mounts these routes brings its own, and this answer belongs to them.
  app.all('*', () => problemResponse(new EngineError('not_found', 'no such route')))
  return app
}
