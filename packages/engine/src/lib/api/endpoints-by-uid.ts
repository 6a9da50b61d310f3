import { readShown } from '../endpoints/endpoint-columns.ts'
import type { Endpoint } from '../endpoints/endpoint.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { changeHeaders, created } from './endpoints.ts'
import { IF_MATCH, etagOf, readIfMatch } from './etag.ts'
import * as examples from './examples.ts'
import { answerOnce } from './once.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { endpointByUid, endpointSchema, uidParam } from './schemas.ts'
import { firstSecretAgain } from './secrets.ts'
import { showEndpoint } from './show.ts'

const get = defineRoute(
  'endpoints:read',
  {
    method: 'get',
    path: '/endpoints-by-uid/{uid}',
    operationId: 'getEndpointByUid',
    tags: ['Endpoints'],
    summary: 'Get an endpoint by your own id',
    request: { params: uidParam },
    responses: { 200: json('The endpoint', endpointSchema, examples.endpoint, 'ETag') },
  },
  { problems: ['not_found'] },
)

const put = defineRoute(
  'endpoints:write',
  {
    method: 'put',
    path: '/endpoints-by-uid/{uid}',
    operationId: 'upsertEndpointByUid',
    tags: ['Endpoints'],
    summary: 'Create the endpoint with your own id, or change it',
    description: `The answer to a creation contains the signing secret. ${IF_MATCH} Nothing is created then, nor with \`If-Match: *\`.`,
    request: {
      params: uidParam,
      headers: changeHeaders,
      body: body(endpointByUid, {
        simple: { url: examples.endpoint.url },
        full: { url: examples.endpoint.url, eventTypes: ['message.*'], metadata: examples.endpoint.metadata },
      }),
    },
    responses: {
      200: json('The changed endpoint', endpointSchema, { ...examples.endpoint, version: 2 }, 'ETag'),
      201: json(
        'The new endpoint',
        created,
        { ...examples.endpoint, secret: examples.secret.secret },
        'ETag',
        'Location',
      ),
    },
  },
  { problems: ['too_many_endpoints', 'precondition_failed', 'invalid_endpoint'] },
)

/** The first version of an endpoint: only its creation answers with it. */
const FIRST_VERSION = 1

export function endpointByUidRoutes(engine: RouteEngine): EngineRoutes {
  const { endpoints } = engine
  const app = newRoutes()

  app.openapi(get, async (c) => {
    const endpoint = await endpoints.getByUid(c.get('principal').workspaceId, c.req.valid('param').uid)
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(put, async (c) => {
    const { workspaceId } = c.get('principal')
    const { uid } = c.req.valid('param')
    const condition = c.req.valid('header')['If-Match']
    const options = { ifVersion: readIfMatch(condition), mustExist: condition?.trim() === '*' }
    const { endpoint, isNew, secret } = await answerOnce<{
      endpoint: Endpoint
      isNew: boolean
      secret?: string | null | undefined
    }>(
      c,
      engine,
      (acting) => endpoints.upsert(workspaceId, uid, c.req.valid('json'), { ...options, acting }),
      async (answer) => {
        const shown = readShown(answer)
        if (shown.version !== FIRST_VERSION) return { endpoint: shown, isNew: false }
        return { endpoint: shown, isNew: true, secret: await firstSecretAgain(engine, shown) }
      },
    )
    c.header('etag', etagOf(endpoint))
    if (!isNew) return c.json(showEndpoint(endpoint), 200)
    c.header('location', `../endpoints/${endpoint.id}`)
    return c.json({ ...showEndpoint(endpoint), secret: secret ?? null }, 201)
  })

  return app
}
