import type { Principal } from './access/api-keys.ts'
import type { OpenAPIHono } from '@hono/zod-openapi'

/** The variables of a request that passed authentication. */
export interface RouteEnv {
  Variables: {
    principal: Principal
    /** The unparsed JSON body, on routes that take one. */
    bodyText: string
  }
}

export type EngineRoutes = OpenAPIHono<RouteEnv>
