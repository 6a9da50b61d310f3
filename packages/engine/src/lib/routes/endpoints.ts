import { z } from '@hono/zod-openapi'
import type { EndpointSecret } from '../endpoint-secrets.ts'
import { IF_MATCH, etagOf, ifMatch, readIfMatch } from './etag.ts'
import { type EngineRoutes, type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import {
  endpointChange,
  endpointInput,
  endpointSchema,
  idParam,
  iso,
  pageOf,
  pageQuery,
  publicKeySchema,
  readCursor,
  replayInput,
  scheme,
  secretSchema,
  showEndpoint,
  toPage,
} from './schemas.ts'

const created = z.object({ ...endpointSchema.shape, secret: z.string() }).openapi('CreatedEndpoint')

const create = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints',
  summary: 'Add an endpoint',
  description: 'The answer holds the signing secret.',
  request: { body: body(endpointInput) },
  responses: { 201: json('The endpoint', created) },
})

const list = defineRoute('endpoints:read', {
  method: 'get',
  path: '/endpoints',
  summary: 'Endpoints, oldest first',
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: json('A page of endpoints', pageOf(endpointSchema)) },
})

const get = defineRoute('endpoints:read', {
  method: 'get',
  path: '/endpoints/{id}',
  summary: 'One endpoint',
  request: { params: idParam },
  responses: { 200: json('The endpoint', endpointSchema) },
})

const update = defineRoute('endpoints:write', {
  method: 'patch',
  path: '/endpoints/{id}',
  summary: 'Change an endpoint',
  description: `What is left out stays as it is. ${IF_MATCH}`,
  request: { params: idParam, headers: ifMatch, body: body(endpointChange) },
  responses: { 200: json('The endpoint', endpointSchema) },
})

const remove = defineRoute('endpoints:write', {
  method: 'delete',
  path: '/endpoints/{id}',
  summary: 'Delete an endpoint',
  description: `Its waiting deliveries fail as \`endpoint_gone\`. ${IF_MATCH}`,
  request: { params: idParam, headers: ifMatch },
  responses: { 204: { description: 'Deleted' } },
})

const rotate = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints/{id}/rotate-secret',
  summary: 'Make a new signing secret',
  description:
    'The old one signs beside it for `overlapMs`, 24 hours unless said otherwise and 7 days at most. ' +
    '`scheme` says which, where the endpoint has several.',
  request: {
    params: idParam,
    body: body(z.strictObject({ overlapMs: z.int().optional(), scheme: scheme.optional() })),
  },
  responses: { 200: json('The new secret', secretSchema) },
})

const reveal = defineRoute('secrets:read', {
  method: 'get',
  path: '/endpoints/{id}/secret',
  summary: 'The secrets that sign now, newest first',
  description: 'For `v1a` the public keys.',
  request: { params: idParam },
  responses: { 200: json('The secrets', z.object({ data: z.array(secretSchema) })) },
})

const publicKey = defineRoute('endpoints:read', {
  method: 'get',
  path: '/endpoints/{id}/public-key',
  summary: 'The public keys of `v1a` that are signed with now, newest first',
  description: 'None where the endpoint is not signed with `v1a`.',
  request: { params: idParam },
  responses: { 200: json('The public keys', z.object({ data: z.array(publicKeySchema) })) },
})

const test = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints/{id}/test',
  summary: 'Send a test event of type `test`',
  request: { params: idParam },
  responses: { 202: json('Kept', z.object({ eventId: z.string() })) },
})

const replay = defineRoute('deliveries:write', {
  method: 'post',
  path: '/endpoints/{id}/replay',
  summary: 'Send again what was settled',
  description: 'At most 1,000 deliveries, oldest settlement first: repeat while `more`. They are sent bit by bit.',
  request: { params: idParam, body: body(replayInput) },
  responses: { 202: json('How many', z.object({ count: z.int(), more: z.boolean() })) },
})

export function endpointRoutes({ endpoints, deliveries, sendTest }: RouteEngine): EngineRoutes {
  const app = newRoutes()
  const showSecret = ({
    scheme: of,
    version,
    secret,
    createdAt,
    expiresAt,
  }: EndpointSecret): z.infer<typeof secretSchema> => {
    return {
      scheme: of,
      version,
      secret,
      createdAt: iso(createdAt),
      expiresAt: expiresAt === null ? null : iso(expiresAt),
    }
  }

  app.openapi(create, async (c) => {
    const { endpoint, secret } = await endpoints.create(c.get('principal').workspaceId, c.req.valid('json'))
    c.header('etag', etagOf(endpoint))
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
    const ifVersion = readIfMatch(c.req.valid('header')['if-match'])
    const endpoint = await endpoints.update(workspaceId, c.req.valid('param').id, c.req.valid('json'), { ifVersion })
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(remove, async (c) => {
    const ifVersion = readIfMatch(c.req.valid('header')['if-match'])
    await endpoints.delete(c.get('principal').workspaceId, c.req.valid('param').id, { ifVersion })
    return c.body(null, 204)
  })

  app.openapi(rotate, async (c) => {
    const secret = await endpoints.rotateSecret(
      c.get('principal').workspaceId,
      c.req.valid('param').id,
      c.req.valid('json'),
    )
    return c.json(showSecret(secret), 200)
  })

  app.openapi(reveal, async (c) => {
    const secrets = await endpoints.secrets(c.get('principal').workspaceId, c.req.valid('param').id)
    return c.json({ data: secrets.map(showSecret) }, 200)
  })

  app.openapi(publicKey, async (c) => {
    const secrets = await endpoints.secrets(c.get('principal').workspaceId, c.req.valid('param').id)
    const data = secrets
      .filter((one) => one.scheme === 'v1a')
      .map(showSecret)
      .map(({ version, secret, createdAt, expiresAt }) => ({ version, publicKey: secret, createdAt, expiresAt }))
    return c.json({ data }, 200)
  })

  app.openapi(test, async (c) => {
    const { eventId } = await sendTest(c.get('principal').workspaceId, c.req.valid('param').id)
    return c.json({ eventId }, 202)
  })

  app.openapi(replay, async (c) => {
    const { status, settledAfter, settledBefore } = c.req.valid('json')
    const [after, before] = [settledAfter, settledBefore].map((time) => (time === undefined ? time : Date.parse(time)))
    const filter = { endpointId: c.req.valid('param').id, status, settledAfter: after, settledBefore: before }
    return c.json(await deliveries.replayOf(c.get('principal').workspaceId, filter), 202)
  })

  return app
}
