import { z } from '@hono/zod-openapi'
import { MAX_PERSONS_PAUSE_MS } from '../pause.ts'
import { etagOf } from './etag.ts'
import { type EngineRoutes, type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { endpointSchema, idParam, showEndpoint } from './schemas.ts'

const enable = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints/{id}/enable',
  summary: 'Enable an endpoint',
  description: 'Its circuit is closed, a pause ends, and what was held for it is sent, batch by batch.',
  request: { params: idParam },
  responses: { 200: json('The endpoint', endpointSchema) },
})

const disable = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints/{id}/disable',
  summary: 'Disable an endpoint',
  description: 'What waits for it is held; new events pass it by.',
  request: { params: idParam },
  responses: { 200: json('The endpoint', endpointSchema) },
})

const pause = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints/{id}/pause',
  summary: 'Pause an endpoint',
  description:
    'For `forMs`, an hour unless said otherwise and 30 days at most. Its deliveries are held until then; a pause that ends ' +
    'later stands.',
  request: {
    params: idParam,
    body: body(z.strictObject({ forMs: z.int().min(1000).max(MAX_PERSONS_PAUSE_MS).optional() })),
  },
  responses: { 200: json('The endpoint', endpointSchema) },
})

const resume = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints/{id}/resume',
  summary: 'End the pause of an endpoint',
  description: 'Whoever asked for it. What was held for it is sent, batch by batch.',
  request: { params: idParam },
  responses: { 200: json('The endpoint', endpointSchema) },
})

/** Whether an endpoint takes deliveries, and from when on. */
export function endpointStateRoutes({ endpoints }: Pick<RouteEngine, 'endpoints'>): EngineRoutes {
  const app = newRoutes()

  app.openapi(enable, async (c) => {
    const endpoint = await endpoints.setStatus(c.get('principal').workspaceId, c.req.valid('param').id, 'enabled')
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(disable, async (c) => {
    const endpoint = await endpoints.setStatus(c.get('principal').workspaceId, c.req.valid('param').id, 'disabled')
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(pause, async (c) => {
    const { workspaceId } = c.get('principal')
    const endpoint = await endpoints.pause(workspaceId, c.req.valid('param').id, c.req.valid('json'))
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(resume, async (c) => {
    const endpoint = await endpoints.resume(c.get('principal').workspaceId, c.req.valid('param').id)
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  return app
}
