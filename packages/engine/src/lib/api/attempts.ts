import { z } from '@hono/zod-openapi'
import { ERROR_CLASS_NAMES } from '../error-classes.ts'
import type { AttemptFilter } from '../history/attempt-list.ts'
import { OUTCOME_FILTERS } from '../history/attempt-end.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import * as bounded from './bounded.ts'
import * as examples from './examples.ts'
import { pageQuery, readCursor } from './page.ts'
import { type RouteEngine, defineRoute, json, newRoutes } from './route.ts'
import { attemptPage } from './delivery-schemas.ts'
import { idParam } from './schemas.ts'
import { ATTEMPT_PREFIX, showAttempts } from './show.ts'
import { scopeOf, workspaceQuery } from './workspace-scope.ts'

const filters = {
  outcome: z
    .enum(OUTCOME_FILTERS)
    .optional()
    .openapi({ description: '`unsuccessful`: `retry`, `deferred` or `failed`' }),
  errorClass: z.enum(ERROR_CLASS_NAMES).optional(),
  httpStatus: z.coerce.number().int().min(100).max(999).optional(),
  since: bounded.isoTime.optional().openapi({ description: 'Settled at this time or later' }),
  until: bounded.isoTime.optional().openapi({ description: 'Settled before this time' }),
}

const page = json('A page of attempts', attemptPage, { data: [examples.attempt] })

const list = defineRoute(
  'deliveries:read',
  {
    method: 'get',
    path: '/attempts',
    operationId: 'listAttempts',
    tags: ['Deliveries'],
    summary: 'List attempts, the latest first',
    description: 'Needs a server with `history`.',
    request: {
      query: z.strictObject({
        ...pageQuery,
        endpointId: bounded.id.optional(),
        type: bounded.typeFilter.optional(),
        ...filters,
        ...workspaceQuery,
      }),
    },
    responses: { 200: page },
  },
  { problems: ['not_retained'] },
)

const ofDelivery = defineRoute(
  'deliveries:read',
  {
    method: 'get',
    path: '/deliveries/{id}/attempts',
    operationId: 'listDeliveryAttempts',
    tags: ['Deliveries'],
    summary: 'List the attempts of a delivery, the latest first',
    description: 'Also of one that was delivered and is no longer stored. Needs a server with `history`.',
    request: { params: idParam, query: z.strictObject({ ...pageQuery, ...workspaceQuery }) },
    responses: { 200: page },
  },
  { problems: ['not_retained'] },
)

export function attemptRoutes({ attempts, deliveries }: RouteEngine): EngineRoutes {
  const app = newRoutes()
  const before = (cursor: string | undefined): Pick<AttemptFilter, 'before'> => ({
    before: readCursor(cursor, ATTEMPT_PREFIX)?.slice(ATTEMPT_PREFIX.length),
  })
  app.openapi(list, async (c) => {
    const { cursor, since, until, workspaceId, ...filter } = c.req.valid('query')
    const principal = c.get('principal')
    const times = { since: bounded.msOf(since), until: bounded.msOf(until) }
    const found = await attempts.list(scopeOf(principal, workspaceId), { ...filter, ...times, ...before(cursor) })
    return c.json(showAttempts(principal, found), 200)
  })

  app.openapi(ofDelivery, async (c) => {
    const { cursor, limit, workspaceId } = c.req.valid('query')
    const { id: deliveryId } = c.req.valid('param')
    const principal = c.get('principal')
    const scope = scopeOf(principal, workspaceId)
    const found = await attempts.list(scope, { deliveryId, limit, ...before(cursor) })
    // None was made, or there is no such delivery, which is 404.
    if (found.rows.length === 0) await deliveries.get(scope, deliveryId)
    return c.json(showAttempts(principal, found), 200)
  })

  return app
}
