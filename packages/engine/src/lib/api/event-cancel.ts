import { z } from '@hono/zod-openapi'
import type { EngineRoutes } from '../engine-routes.ts'
import { readCancelled } from '../events/cancel-event.ts'
import { answerOnce, idempotent } from './once.ts'
import { type RouteEngine, defineRoute, json, newRoutes } from './route.ts'
import { count, idParam } from './schemas.ts'

const cancellation = z
  .object({
    cancelled: count.openapi({ description: 'Deliveries that fail as `cancelled`, by this request or an earlier one' }),
    tooLate: count.openapi({ description: 'Deliveries that were attempted, are in flight, or had ended before' }),
  })
  .openapi('EventCancellation')

const cancel = defineRoute(
  'events:write',
  {
    method: 'post',
    path: '/events/{id}/cancel',
    operationId: 'cancelEvent',
    tags: ['Events'],
    summary: 'Cancel the deliveries of an event that had no attempt yet',
    description: 'A repeat answers the same. 409 `conflict`: it is too late for all of them.',
    request: { params: idParam, headers: idempotent },
    responses: { 200: json('The number of deliveries', cancellation, { cancelled: 3, tooLate: 1 }) },
  },
  { problems: ['not_retained', 'conflict'] },
)

export function eventCancelRoutes(engine: RouteEngine): EngineRoutes {
  const app = newRoutes()

  app.openapi(cancel, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    return c.json(
      await answerOnce(c, engine, ({ once }) => engine.cancelEvent(workspaceId, id, { once }), readCancelled),
      200,
    )
  })

  return app
}
