import { OpenAPIHono, type RouteConfig, createRoute, type z } from '@hono/zod-openapi'
import type { Principal, Scope } from '../api-key.ts'
import type { OnceDeliveryReads } from '../deliveries.ts'
import type { OnceEndpointStore } from '../endpoint-store-api.ts'
import type { Engine, Sent } from '../engine-api.ts'
import { EngineError } from '../errors.ts'
import type { BackgroundOption } from '../hand-off.ts'
import type { OnceDeps, OnceOption } from '../once.ts'
import { problemResponse } from '../problem.ts'
import { MAX_BODY_BYTES, readBody, takeBody } from './body.ts'
import { describeProblems } from './input-problems.ts'
import { problemSchema } from './schemas.ts'

/** What a route finds in its context once the request is known. */
interface RouteEnv {
  Variables: {
    principal: Principal
    /** The JSON body as it came, of a route that has one. */
    bodyText: string
  }
}

export type EngineRoutes = OpenAPIHono<RouteEnv>

/** The engine without its routes, which is what they are made from. */
export interface RouteEngine extends Omit<Engine, 'routes' | 'endpoints' | 'deliveries' | 'sendTest'>, OnceDeps {
  /** {@link Engine.checkKeys} without a write; a key service that does not answer is an error here. */
  verifyKeys(): Promise<void>
  endpoints: OnceEndpointStore
  deliveries: OnceDeliveryReads
  sendTest(workspaceId: string, endpointId: string, options?: BackgroundOption & OnceOption): Promise<Sent>
}

/** A sub-application whose bad input is answered like everyone's. */
export function newRoutes(): EngineRoutes {
  return new OpenAPIHono<RouteEnv>({
    defaultHook: (result) => {
      if (!result.success) return problemResponse(new EngineError('invalid_request', describeProblems(result.error)))
      return undefined
    },
  })
}

/**
 * A route that asks for a scope, reads its body only from whoever has it, and lists the problem document among its
 * answers.
 */
export function defineRoute<R extends RouteConfig & { path: string }>(
  scope: Scope,
  config: R,
  { maxBodyBytes = MAX_BODY_BYTES } = {},
) {
  const read = readBody(maxBodyBytes)
  return createRoute({
    ...config,
    description: `${config.description ?? ''} Scope: \`${scope}\`.`.trim(),
    middleware: async (c, next) => {
      if (!c.get('principal').scopes.includes(scope)) {
        throw new EngineError('forbidden', `this key lacks the scope ${scope}`)
      }
      const [parameter] = Object.keys(config.request?.query ? {} : c.req.query())
      if (parameter !== undefined) {
        throw new EngineError(
          'invalid_request',
          `this route takes no query parameter; found ${JSON.stringify(parameter)}`,
        )
      }
      if (config.request?.body) return read(c, next)
      // Such a body says nothing to the route, and a key is compared with it all the same.
      if (c.req.header('idempotency-key') !== undefined) await takeBody(c, maxBodyBytes)
      return next()
    },
    responses: {
      ...config.responses,
      default: { description: 'A problem', content: { 'application/problem+json': { schema: problemSchema } } },
    },
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
