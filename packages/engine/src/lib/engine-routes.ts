import type { Principal } from './access/api-key.ts'
import type { OpenAPIHono } from '@hono/zod-openapi'

/** What a route finds in its context once the request is known. */
export interface RouteEnv {
  Variables: {
    principal: Principal
    /** The JSON body as it came, of a route that has one. */
    bodyText: string
  }
}

export type EngineRoutes = OpenAPIHono<RouteEnv>
