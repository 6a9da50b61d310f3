import { checkPrincipal } from '../access/api-key.ts'
import type { Authenticate, Principal } from '../access/api-keys.ts'
import { EngineError, asEngineError } from '../errors.ts'
import { UNSTORED, problemResponse } from '../problem.ts'
import { apiKeyRoutes } from './api-keys.ts'
import { auditRoutes } from './audit.ts'
import { deliveryRoutes } from './deliveries.ts'
import { attemptRoutes } from './attempts.ts'
import { endpointProblemRoutes } from './endpoint-problems.ts'
import { addAsyncApi } from './async-api.ts'
import { replayRoutes } from './replays.ts'
import { erasureRoutes } from './erasures.ts'
import { addDocument } from './document.ts'
import { answerOtherMethods, isOptions } from './methods.ts'
import { endpointByUidRoutes } from './endpoints-by-uid.ts'
import { endpointRoutes } from './endpoints.ts'
import { endpointStateRoutes } from './endpoint-state.ts'
import { eventCancelRoutes } from './event-cancel.ts'
import { eventMatchRoutes } from './event-match.ts'
import { eventRoutes } from './events.ts'
import { eventTypeRoutes } from './event-types.ts'
import { healthRoutes } from './liveness.ts'
import { type RouteEngine, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { secretRoutes } from './secrets.ts'
import { statisticsRoutes } from './statistics.ts'
import { testEventRoutes } from './test-events.ts'
import { workspaceExportRoutes } from './workspace-export.ts'
import { workspaceRoutes } from './workspaces.ts'

/** The management API. Errors are problem documents; every route needs a credential, except health and the documents. */
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
  addDocument(app, publicUrl, () => engine.eventTypes())
  addAsyncApi(app, engine)
  answerOtherMethods(app)

  app.use(async (c, next) => {
    if (isOptions(c)) return next()
    const found = await authenticate(c.req.raw)
    if (!found) throw unauthenticated(c.req.raw)
    c.set('principal', checkPrincipal(found))
    countRequest(found)
    // It could be in an id, a filter or a cursor, and Postgres accepts no such text, not even in a query.
    if (c.req.url.includes('%00')) throw new EngineError('invalid_request', 'the URL contains a NUL (%00): remove it')
    return next()
  })
  app.route('/', eventRoutes(engine))
  app.route('/', endpointByUidRoutes(engine))
  app.route('/', eventCancelRoutes(engine))
  app.route('/', eventTypeRoutes(engine))
  app.route('/', endpointRoutes(engine))
  app.route('/', endpointStateRoutes(engine))
  app.route('/', eventMatchRoutes(engine))
  app.route('/', testEventRoutes(engine))
  app.route('/', secretRoutes(engine))
  app.route('/', apiKeyRoutes(engine))
  app.route('/', deliveryRoutes(engine))
  app.route('/', attemptRoutes(engine))
  app.route('/', endpointProblemRoutes(engine))
  app.route('/', replayRoutes(engine))
  app.route('/', erasureRoutes(engine))
  app.route('/', statisticsRoutes(engine))
  app.route('/', workspaceRoutes(engine))
  app.route('/', workspaceExportRoutes(engine))
  app.route('/', auditRoutes(engine))
  answerOtherMethods(app)
  // Not `notFound`: a host that mounts these routes has its own, but paths below the mount point are answered here.
  app.all('*', () => problemResponse(new EngineError('not_found', 'no such route')))
  return app
}

/** The error for a request without a principal: a credential that was refused needs another message than none at all. */
function unauthenticated(request: Request): EngineError {
  const isGiven = /^bearer \S/i.test(request.headers.get('authorization') ?? '')
  return new EngineError(
    'unauthenticated',
    isGiven
      ? 'the API key is unknown, expired or deleted: check the key in Authorization: Bearer ks_…'
      : 'no API key: send Authorization: Bearer ks_…',
  )
}
