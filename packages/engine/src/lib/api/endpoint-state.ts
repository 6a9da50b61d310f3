import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Principal } from '../access/api-keys.ts'
import { readShown } from '../endpoints/endpoint-columns.ts'
import type { Endpoint } from '../endpoints/endpoint.ts'
import { backgroundOf } from '../hono.ts'
import type { Acting } from '../audit/action.ts'
import { MAX_MANUAL_PAUSE_MS } from '../backlog/pause.ts'
import { etagOf } from './etag.ts'
import * as examples from './examples.ts'
import { answerOnce, idempotent } from './once.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { endpointSchema, idParam } from './schemas.ts'
import { showEndpoint } from './show.ts'

const enable = defineRoute(
  'endpoints:write',
  {
    method: 'post',
    path: '/endpoints/{id}/enable',
    operationId: 'enableEndpoint',
    tags: ['Endpoints'],
    summary: 'Enable an endpoint',
    description: 'Closes its circuit, ends a pause, and sends its held deliveries in batches.',
    request: { params: idParam, headers: idempotent },
    responses: { 200: json('The endpoint', endpointSchema, { ...examples.endpoint, version: 2 }, 'ETag') },
  },
  { problems: ['not_found'] },
)

const disable = defineRoute(
  'endpoints:write',
  {
    method: 'post',
    path: '/endpoints/{id}/disable',
    operationId: 'disableEndpoint',
    tags: ['Endpoints'],
    summary: 'Disable an endpoint',
    description: 'Pending and new deliveries are held until it is enabled.',
    request: { params: idParam, headers: idempotent },
    responses: {
      200: json(
        'The endpoint',
        endpointSchema,
        {
          ...examples.endpoint,
          status: 'disabled',
          disabledReason: 'manual',
          disabledAt: examples.endpoint.updatedAt,
          version: 2,
        },
        'ETag',
      ),
    },
  },
  { problems: ['not_found'] },
)

const pauseInput = z
  .strictObject({
    forMs: z
      .int()
      .min(1000)
      .max(MAX_MANUAL_PAUSE_MS)
      .optional()
      .openapi({ description: 'Length from now, in ms; default: an hour' }),
  })
  .openapi('PauseInput')

const pause = defineRoute(
  'endpoints:write',
  {
    method: 'post',
    path: '/endpoints/{id}/pause',
    operationId: 'pauseEndpoint',
    tags: ['Endpoints'],
    summary: 'Pause an endpoint',
    description:
      'For `forMs`: an hour by default, 30 days at most. Deliveries are held until then; a pause that ends later stays in ' +
      'force.',
    request: {
      params: idParam,
      headers: idempotent,
      body: body(pauseInput, { anHour: {}, aDay: { forMs: 86_400_000 } }),
    },
    responses: {
      200: json(
        'The endpoint',
        endpointSchema,
        { ...examples.endpoint, pausedUntil: '2026-11-23T13:00:00.000Z', version: 2 },
        'ETag',
      ),
    },
  },
  { problems: ['not_found'] },
)

const resume = defineRoute(
  'endpoints:write',
  {
    method: 'post',
    path: '/endpoints/{id}/resume',
    operationId: 'resumeEndpoint',
    tags: ['Endpoints'],
    summary: 'End the pause of an endpoint',
    description: 'Also a pause that the receiver requested. Held deliveries are sent in batches.',
    request: { params: idParam, headers: idempotent },
    responses: { 200: json('The endpoint', endpointSchema, { ...examples.endpoint, version: 2 }, 'ETag') },
  },
  { problems: ['not_found'] },
)

/** Routes that enable, disable, pause and resume an endpoint. */
export function endpointStateRoutes(engine: RouteEngine): EngineRoutes {
  const { endpoints } = engine
  const app = newRoutes()

  async function changed(
    c: Context<{ Variables: { principal: Principal } }>,
    change: (acting: Acting) => Promise<Endpoint>,
  ): Promise<ReturnType<typeof showEndpoint>> {
    const endpoint = await answerOnce(c, engine, change, readShown)
    c.header('etag', etagOf(endpoint))
    return showEndpoint(endpoint)
  }

  app.openapi(enable, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const enabled = (acting: Acting): Promise<Endpoint> =>
      endpoints.setStatus(workspaceId, id, 'enabled', { acting, background: backgroundOf(c) })
    return c.json(await changed(c, enabled), 200)
  })

  app.openapi(disable, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    return c.json(await changed(c, (acting) => endpoints.setStatus(workspaceId, id, 'disabled', { acting })), 200)
  })

  app.openapi(pause, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const options = c.req.valid('json')
    return c.json(await changed(c, (acting) => endpoints.pause(workspaceId, id, { ...options, acting })), 200)
  })

  app.openapi(resume, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const resumed = (acting: Acting): Promise<Endpoint> =>
      endpoints.resume(workspaceId, id, { acting, background: backgroundOf(c) })
    return c.json(await changed(c, resumed), 200)
  })

  return app
}
