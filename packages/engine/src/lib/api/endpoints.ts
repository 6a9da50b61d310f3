import { z } from '@hono/zod-openapi'
import { eventIdOf } from '@keepsend/outbox/internal'
import { readShown } from '../endpoints/endpoint-columns.ts'
import type { Endpoint } from '../endpoints/endpoint.ts'
import { backgroundOf } from '../hono.ts'
import type { Acting } from '../audit/action.ts'
import * as examples from './examples.ts'
import { IF_MATCH, etagOf, ifMatch, readIfMatch } from './etag.ts'
import { answerOnce, idempotent } from './once.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { firstSecretAgain, shownOnce } from './secrets.ts'
import { pageOf, pageQuery, readCursor, toPage } from './page.ts'
import { endpointChange, endpointInput, endpointSchema, idParam } from './schemas.ts'
import { showEndpoint } from './show.ts'

export const created = endpointSchema.extend({ secret: shownOnce }).openapi('CreatedEndpoint')

const create = defineRoute(
  'endpoints:write',
  {
    method: 'post',
    path: '/endpoints',
    operationId: 'createEndpoint',
    tags: ['Endpoints'],
    summary: 'Add an endpoint',
    description: 'The answer contains the signing secret.',
    request: {
      headers: idempotent,
      body: body(endpointInput, {
        simple: { url: examples.endpoint.url },
        full: {
          url: examples.endpoint.url,
          uid: examples.endpoint.uid,
          description: examples.endpoint.description,
          eventTypes: examples.endpoint.eventTypes,
          headers: { Authorization: 'Bearer of-the-receiver' },
          rateLimit: 10,
        },
      }),
    },
    responses: {
      201: json('The endpoint', created, { ...examples.endpoint, secret: examples.secret.secret }, 'ETag', 'Location'),
    },
  },
  { problems: ['conflict', 'too_many_endpoints', 'invalid_endpoint'] },
)

const list = defineRoute('endpoints:read', {
  method: 'get',
  path: '/endpoints',
  operationId: 'listEndpoints',
  tags: ['Endpoints'],
  summary: 'List endpoints, oldest first',
  request: { query: z.strictObject(pageQuery) },
  responses: {
    200: json('A page of endpoints', pageOf('EndpointPage', endpointSchema), { data: [examples.endpoint] }),
  },
})

const get = defineRoute(
  'endpoints:read',
  {
    method: 'get',
    path: '/endpoints/{id}',
    operationId: 'getEndpoint',
    tags: ['Endpoints'],
    summary: 'Get an endpoint',
    request: { params: idParam },
    responses: { 200: json('The endpoint', endpointSchema, examples.endpoint, 'ETag') },
  },
  { problems: ['not_found'] },
)

export const changeHeaders = idempotent.extend(ifMatch.shape)

const update = defineRoute(
  'endpoints:write',
  {
    method: 'patch',
    path: '/endpoints/{id}',
    operationId: 'updateEndpoint',
    tags: ['Endpoints'],
    summary: 'Change an endpoint',
    description: `Properties that are left out stay as they are. ${IF_MATCH}`,
    request: {
      params: idParam,
      headers: changeHeaders,
      body: body(endpointChange, {
        types: { eventTypes: ['message.*', 'user.created'] },
        noLimit: { rateLimit: null },
      }),
    },
    responses: { 200: json('The endpoint', endpointSchema, { ...examples.endpoint, version: 2 }, 'ETag') },
  },
  { problems: ['not_found', 'conflict', 'precondition_failed', 'invalid_endpoint'] },
)

const remove = defineRoute(
  'endpoints:write',
  {
    method: 'delete',
    path: '/endpoints/{id}',
    operationId: 'deleteEndpoint',
    tags: ['Endpoints'],
    summary: 'Delete an endpoint',
    description: `Its unsettled deliveries fail as \`endpoint_gone\`. ${IF_MATCH}`,
    request: { params: idParam, headers: changeHeaders },
    responses: { 204: { description: 'Deleted' } },
  },
  { problems: ['not_found', 'precondition_failed'] },
)

const test = defineRoute(
  'endpoints:write',
  {
    method: 'post',
    path: '/endpoints/{id}/test',
    operationId: 'testEndpoint',
    tags: ['Endpoints'],
    summary: 'Send a test event of type `test`',
    description: 'To this endpoint only, whether it is subscribed or not.',
    request: { params: idParam, headers: idempotent },
    responses: {
      202: json('Stored', z.object({ eventId: z.string() }).openapi('SentTest'), { eventId: examples.EVENT_ID }),
    },
  },
  { problems: ['not_found', 'too_many_waiting'] },
)

export function endpointRoutes(engine: RouteEngine): EngineRoutes {
  const { endpoints } = engine
  const app = newRoutes()
  app.openapi(create, async (c) => {
    const { workspaceId } = c.get('principal')
    const { endpoint, secret } = await answerOnce<{ endpoint: Endpoint; secret: string | null }>(
      c,
      engine,
      (acting) => endpoints.create(workspaceId, c.req.valid('json'), { acting }),
      async (answer) => {
        const shown = readShown(answer)
        return { endpoint: shown, secret: await firstSecretAgain(engine, shown) }
      },
    )
    c.header('etag', etagOf(endpoint))
    c.header('location', `endpoints/${endpoint.id}`)
    return c.json({ ...showEndpoint(endpoint), secret }, 201)
  })

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const found = await endpoints.list(c.get('principal').workspaceId, {
      limit: limit + 1,
      after: readCursor(cursor, 'ep_'),
    })
    const { rows, ...page } = toPage(found, limit)
    return c.json({ data: rows.map(showEndpoint), ...page }, 200)
  })

  app.openapi(get, async (c) => {
    const endpoint = await endpoints.get(c.get('principal').workspaceId, c.req.valid('param').id)
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(update, async (c) => {
    const { workspaceId } = c.get('principal')
    const ifVersion = readIfMatch(c.req.valid('header')['If-Match'])
    const { id } = c.req.valid('param')
    const change = (acting: Acting): Promise<Endpoint> =>
      endpoints.update(workspaceId, id, c.req.valid('json'), { ifVersion, acting })
    const endpoint = await answerOnce(c, engine, change, readShown)
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(remove, async (c) => {
    const ifVersion = readIfMatch(c.req.valid('header')['If-Match'])
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    await answerOnce(
      c,
      engine,
      (acting) => endpoints.delete(workspaceId, id, { ifVersion, acting }),
      () => undefined,
    )
    return c.body(null, 204)
  })

  app.openapi(test, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const sent = await answerOnce(
      c,
      engine,
      (acting) => engine.publishTest(workspaceId, id, { acting, background: backgroundOf(c) }),
      (deliveryId) => ({ eventId: eventIdOf(deliveryId) }),
    )
    return c.json({ eventId: sent.eventId }, 202)
  })

  return app
}
