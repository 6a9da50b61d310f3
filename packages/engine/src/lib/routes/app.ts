import { OpenAPIHono, type RouteConfig, createRoute, z } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import type { Authenticate, Principal, Scope } from '../api-key.ts'
import type { Engine } from '../engine.ts'
import { EngineError } from '../errors.ts'
import { errorFields } from '../logger.ts'
import { problemResponse } from '../problem.ts'
import { deliveryRoutes } from './deliveries.ts'
import { endpointRoutes } from './endpoints.ts'
import { eventRoutes } from './events.ts'
import { healthRoutes } from './health.ts'
import { problemSchema } from './schemas.ts'

/** What a route finds in its context once the request is known. */
export interface RouteEnv {
  Variables: { principal: Principal }
}

export type EngineRoutes = OpenAPIHono<RouteEnv>

/** The engine without its routes, which is what they are made from. */
export type RouteEngine = Omit<Engine, 'routes'>

/** Whole requests, a batch of events included. */
const MAX_REQUEST_BYTES = 1_048_576

/** The management API. Errors are problem documents, every route but health and the document itself asks who is asking. */
export function createRoutes(engine: RouteEngine, authenticate: Authenticate): EngineRoutes {
  const app = new OpenAPIHono<RouteEnv>({
    defaultHook: (result) => {
      if (!result.success) return problemResponse(new EngineError('invalid_request', z.prettifyError(result.error)))
      return undefined
    },
  })
  app.onError((error) => {
    const known = error instanceof EngineError ? error : malformed(error)
    if (!known) engine.logger.error(errorFields(error), 'a route failed')
    return problemResponse(known ?? error)
  })
  app.use(bodyLimit({
    maxSize: MAX_REQUEST_BYTES,
    onError: () => problemResponse(new EngineError('payload_too_large', `a request is at most ${MAX_REQUEST_BYTES} bytes`)),
  }))

  app.route('/', healthRoutes(engine))
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', { type: 'http', scheme: 'bearer' })
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'Keepsend', version: '1', description: 'Endpoints, events and deliveries of one workspace: that of the credential.' },
    security: [{ apiKey: [] }],
  })

  app.use(async (c, next) => {
    const principal = await authenticate(c.req.raw)
    if (!principal) throw new EngineError('unauthenticated', 'this needs an API key: Authorization: Bearer ks_…')
    c.set('principal', principal)
    await next()
  })
  app.route('/', eventRoutes(engine))
  app.route('/', endpointRoutes(engine))
  app.route('/', deliveryRoutes(engine))
  // Not `notFound`: a host that mounts these routes brings its own, and this answer belongs to them.
  app.all('*', () => problemResponse(new EngineError('not_found', 'no such route')))
  return app
}

/** A sub-application whose bad input is answered like everyone's. */
export function newRoutes(): EngineRoutes {
  return new OpenAPIHono<RouteEnv>({
    defaultHook: (result) => {
      if (!result.success) return problemResponse(new EngineError('invalid_request', z.prettifyError(result.error)))
      return undefined
    },
  })
}

/** A route that asks for a scope and lists the problem document among its answers. */
export function defineRoute<R extends RouteConfig & { path: string }>(scope: Scope, config: R) {
  return createRoute({
    ...config,
    description: `${config.description ?? ''} Scope: \`${scope}\`.`.trim(),
    middleware: async (c, next) => {
      if (!c.get('principal').scopes.includes(scope)) throw new EngineError('forbidden', `this key lacks the scope ${scope}`)
      await next()
    },
    responses: { ...config.responses, default: { description: 'A problem', content: { 'application/problem+json': { schema: problemSchema } } } },
  })
}

/** A JSON answer of a route. */
export function json<S extends z.ZodType>(description: string, schema: S) {
  return { description, content: { 'application/json': { schema } } }
}

/** A JSON body of a route. */
export function body<S extends z.ZodType>(schema: S) {
  return { required: true, content: { 'application/json': { schema } } }
}

// Hono says "Malformed JSON" by an HTTPException of its own.
function malformed(error: Error): EngineError | undefined {
  return 'status' in error && error.status === 400 ? new EngineError('invalid_request', error.message) : undefined
}
