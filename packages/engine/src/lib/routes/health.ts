import { createRoute, z } from '@hono/zod-openapi'
import { errorFields } from '../logger.ts'
import { type EngineRoutes, type RouteEngine, json, newRoutes } from './route.ts'

const health = createRoute({
  method: 'get',
  path: '/health',
  summary: 'Whether the database answers, and how long the oldest due delivery has waited',
  security: [],
  responses: {
    200: json(
      'It does',
      z.object({
        status: z.literal('ok'),
        oldestDueMs: z.number(),
        queueErrors: z.int(),
        degraded: z.int(),
        notAccepted: z.int(),
      }),
    ),
    503: json('It does not', z.object({ status: z.literal('unavailable') })),
  },
})

/** No workspace's data, so no credential: a load balancer asks. */
export function healthRoutes(engine: RouteEngine): EngineRoutes {
  const app = newRoutes()
  app.openapi(health, async (c) => {
    try {
      const { oldestDueMs } = await engine.stats()
      return c.json({ status: 'ok' as const, oldestDueMs, ...engine.counters }, 200)
    } catch (error) {
      engine.logger.error(errorFields(error), 'the database does not answer')
      return c.json({ status: 'unavailable' as const }, 503)
    }
  })
  return app
}
