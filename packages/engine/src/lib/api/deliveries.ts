import { type RouteConfig, z } from '@hono/zod-openapi'
import { eventIdOf } from '@keepsend/outbox/internal'
import { type ShownDelivery, readMoved } from '../deliveries/delivery-columns.ts'
import type { DeliveryState } from '../deliveries/delivery.ts'
import { DELIVERY_STATUSES, HTTP_CLASSES } from '../deliveries/delivery-filter.ts'
import { ERROR_CLASS_NAMES, explanationOf } from '../error-classes.ts'
import { backgroundOf } from '../hono.ts'
import type { Acting } from '../audit/action.ts'
import * as bounded from './bounded.ts'
import { answerOnce, idempotent } from './once.ts'
import * as examples from './examples.ts'
import { deliveryDetail, deliveryPage } from './delivery-schemas.ts'
import { pageQuery, readCursor, showPage } from './page.ts'
import { type RouteEngine, defineRoute, json, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { deliverySchema, idParam } from './schemas.ts'
import { showAttempts, toDelivery } from './show.ts'
import { scopeOf, withWorkspace, workspaceQuery } from './workspace-scope.ts'

const TIME = 'that of the event, or of the delivery if it was delivered and is no longer stored'

const list = defineRoute('deliveries:read', {
  method: 'get',
  path: '/deliveries',
  operationId: 'listDeliveries',
  tags: ['Deliveries'],
  summary: 'List deliveries, newest first',
  description: 'On a server with `history` also those that were delivered and are no longer stored.',
  request: {
    query: z.strictObject({
      ...pageQuery,
      status: z.enum(DELIVERY_STATUSES).optional(),
      endpointId: bounded.id.optional(),
      type: bounded.typeFilter.optional(),
      eventId: bounded.id.optional(),
      errorClass: z.enum(ERROR_CLASS_NAMES).optional(),
      httpStatus: z.coerce.number().int().min(100).max(999).optional(),
      httpClass: z.enum(HTTP_CLASSES).optional().openapi({
        description:
          'The class of the last response; `no_response`: the last attempt got none; `none_yet`: no attempt was made',
      }),
      since: bounded.isoTime.optional().openapi({ description: `At this time or later: ${TIME}` }),
      until: bounded.isoTime.optional().openapi({ description: `Before this time: ${TIME}` }),
      ...workspaceQuery,
    }),
  },
  responses: { 200: json('A page of deliveries', deliveryPage, { data: [examples.delivery] }) },
})

const get = defineRoute(
  'deliveries:read',
  {
    method: 'get',
    path: '/deliveries/{id}',
    operationId: 'getDelivery',
    tags: ['Deliveries'],
    summary: 'Get a delivery with its latest attempts',
    request: { params: idParam, query: z.strictObject(workspaceQuery) },
    responses: {
      200: json('The delivery', deliveryDetail, {
        ...examples.delivery,
        traceId: examples.TRACE_ID,
        latestAttempts: { data: [examples.attempt], cursor: btoa(examples.attempt.id) },
      }),
    },
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

/** A route that moves a delivery that is not settled. */
const move = <Responses extends RouteConfig['responses']>(
  verb: 'retry-now' | 'give-up',
  described: { operationId: string; summary: string; description: string; responses: Responses },
) =>
  defineRoute(
    'deliveries:write',
    {
      method: 'post',
      path: `/deliveries/{id}/${verb}`,
      tags: ['Deliveries'],
      request: { params: idParam, headers: idempotent },
      ...described,
    },
    { problems: ['not_retained', 'conflict'] },
  )

const retryNow = move('retry-now', {
  operationId: 'retryDeliveryNow',
  summary: 'Send a delivery that is not settled now',
  description:
    'Whatever it waits for, within the limits of its endpoint. If that is disabled or paused, the answer says so. The outcome of an attempt in flight is ignored.',
  responses: {
    202: json('The delivery', deliverySchema, {
      ...examples.delivery,
      status: 'pending',
      attempts: 3,
      dueAt: examples.delivery.completedAt,
      completedAt: null,
    }),
  },
})

const giveUp = move('give-up', {
  operationId: 'giveUpDelivery',
  summary: 'Fail a delivery that is not settled',
  description: 'The outcome of an attempt in flight is ignored. A replay sends the delivery again.',
  responses: {
    200: json('The delivery', deliverySchema, {
      ...examples.delivery,
      attempts: 3,
      lastError: 'given_up',
      errorClass: 'given_up',
      explanation: explanationOf('given_up'),
    }),
  },
})

export function deliveryRoutes(engine: RouteEngine): EngineRoutes {
  const { deliveries, dispatch } = engine
  const app = newRoutes()

  app.openapi(list, async (c) => {
    const { cursor, since, until, workspaceId, ...filter } = c.req.valid('query')
    const principal = c.get('principal')
    const before = readCursor(cursor, 'evt_')
    const times = { since: bounded.msOf(since), until: bounded.msOf(until) }
    const { omitted, ...page } = await deliveries.list(scopeOf(principal, workspaceId), { ...filter, ...times, before })
    const show = withWorkspace(principal, (row: DeliveryState) => toDelivery(row))
    return c.json({ ...showPage(page, show), ...(omitted && { omitted }) }, 200)
  })

  app.openapi(get, async (c) => {
    const principal = c.get('principal')
    const scope = scopeOf(principal, c.req.valid('query').workspaceId)
    const { latestAttempts, traceId, ...delivery } = await deliveries.getWithAttempts(scope, c.req.valid('param').id)
    const attempts = latestAttempts && { latestAttempts: showAttempts(principal, latestAttempts) }
    const show = withWorkspace(principal, (row: DeliveryState) => toDelivery(row))
    return c.json({ ...show(delivery), traceId, ...attempts }, 200)
  })

  app.openapi(replay, async (c) => {
    const replayed = async (acting: Acting): Promise<ShownDelivery> => {
      const row = await deliveries.replay(c.get('principal').workspaceId, c.req.valid('param').id, { acting })
      await dispatch(eventIdOf(row.id), backgroundOf(c))
      return row
    }
    return c.json(toDelivery(await answerOnce(c, engine, replayed, readMoved)), 202)
  })

  app.openapi(retryNow, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const retried = (acting: Acting): Promise<ShownDelivery> =>
      deliveries.retryNow(workspaceId, id, { acting, background: backgroundOf(c) })
    return c.json(toDelivery(await answerOnce(c, engine, retried, readMoved)), 202)
  })

  app.openapi(giveUp, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const givenUp = (acting: Acting): Promise<ShownDelivery> => deliveries.giveUp(workspaceId, id, { acting })
    return c.json(toDelivery(await answerOnce(c, engine, givenUp, readMoved)), 200)
  })

  return app
}
