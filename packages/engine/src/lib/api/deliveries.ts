import { z } from '@hono/zod-openapi'
import { eventIdOf } from '@keepsend/outbox/internal'
import { type ShownDelivery, readReplayed } from '../deliveries/delivery-columns.ts'
import { backgroundOf } from '../hono.ts'
import type { IdempotentChange } from '../idempotency/idempotent-change.ts'
import * as bounded from './bounded.ts'
import { answerOnce, idempotent } from './once.ts'
import * as examples from './examples.ts'
import { pageOf, pageQuery, readCursor, showPage } from './page.ts'
import { type RouteEngine, defineRoute, json, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { deliverySchema, idParam } from './schemas.ts'
import { toDelivery } from './show.ts'

const list = defineRoute('deliveries:read', {
  method: 'get',
  path: '/deliveries',
  operationId: 'listDeliveries',
  tags: ['Deliveries'],
  summary: 'List retained deliveries, newest event first',
  request: {
    query: z.strictObject({
      ...pageQuery,
      status: z.enum(['pending', 'completed', 'failed', 'held']).optional(),
      endpointId: bounded.id.optional(),
      type: bounded.typeFilter.optional(),
      eventId: bounded.id.optional(),
    }),
  },
  responses: {
    200: json('A page of deliveries', pageOf('DeliveryPage', deliverySchema), { data: [examples.delivery] }),
  },
})

const get = defineRoute(
  'deliveries:read',
  {
    method: 'get',
    path: '/deliveries/{id}',
    operationId: 'getDelivery',
    tags: ['Deliveries'],
    summary: 'Get a delivery',
    request: { params: idParam },
    responses: { 200: json('The delivery', deliverySchema, examples.delivery) },
  },
  { problems: ['not_retained'] },
)

const replay = defineRoute(
  'deliveries:write',
  {
    method: 'post',
    path: '/deliveries/{id}/replay',
    operationId: 'replayDelivery',
    tags: ['Deliveries'],
    summary: 'Send a settled delivery again',
    description: 'Its attempts start from the beginning, under the same `webhook-id`.',
    request: { params: idParam, headers: idempotent },
    responses: {
      202: json('The delivery', deliverySchema, {
        ...examples.delivery,
        status: 'pending',
        attempts: 0,
        dueAt: examples.delivery.completedAt,
        completedAt: null,
      }),
    },
  },
  { problems: ['not_retained', 'conflict'] },
)

export function deliveryRoutes(engine: RouteEngine): EngineRoutes {
  const { deliveries, dispatch } = engine
  const app = newRoutes()

  app.openapi(list, async (c) => {
    const { cursor, ...filter } = c.req.valid('query')
    const before = readCursor(cursor, 'evt_')
    const page = await deliveries.list(c.get('principal').workspaceId, { ...filter, before })
    return c.json(showPage(page, toDelivery), 200)
  })

  app.openapi(get, async (c) => {
    return c.json(toDelivery(await deliveries.get(c.get('principal').workspaceId, c.req.valid('param').id)), 200)
  })

  app.openapi(replay, async (c) => {
    const replayed = async (once: IdempotentChange | undefined): Promise<ShownDelivery> => {
      const row = await deliveries.replay(c.get('principal').workspaceId, c.req.valid('param').id, { once })
      await dispatch(eventIdOf(row.id), backgroundOf(c))
      return row
    }
    return c.json(toDelivery(await answerOnce(c, engine, replayed, readReplayed)), 202)
  })

  return app
}
