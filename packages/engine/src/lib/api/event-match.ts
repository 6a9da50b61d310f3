import { z } from '@hono/zod-openapi'
import type { WebhookEvent } from '../publish/event.ts'
import { eventInput } from './event-schemas.ts'
import * as examples from './examples.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { idParam } from './schemas.ts'

const matched = z
  .object({
    matches: z.boolean(),
    reason: z
      .enum(['type', 'channel', 'filter'])
      .nullable()
      .openapi({ description: 'The part of the endpoint that the event does not match; null: it matches' }),
    failed: z
      .string()
      .nullable()
      .openapi({ description: 'The part of the filter that does not hold; null unless `reason` is `filter`' }),
  })
  .openapi('EventMatch')

const match = defineRoute(
  'endpoints:read',
  {
    method: 'post',
    path: '/endpoints/{id}/match',
    operationId: 'matchEvent',
    tags: ['Endpoints'],
    summary: 'Whether an endpoint would get an event',
    description:
      'Publishes nothing: it compares the event with the types, the channels and the filter of the endpoint.',
    request: { params: idParam, body: body(eventInput, { one: { object: 'event', ...examples.event } }) },
    responses: {
      200: json('Whether it matches', matched, {
        matches: false,
        reason: 'filter',
        failed: 'data.channel $in ["general"]',
      }),
    },
  },
  { problems: ['not_found', 'invalid_event'] },
)

export function eventMatchRoutes({ endpoints }: RouteEngine): EngineRoutes {
  const app = newRoutes()
  app.openapi(match, async (c) => {
    const { object: _, ...event } = c.req.valid('json')
    const { workspaceId } = c.get('principal')
    return c.json(await endpoints.matchEvent(workspaceId, c.req.valid('param').id, event as WebhookEvent), 200)
  })
  return app
}
