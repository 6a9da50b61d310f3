import { z } from '@hono/zod-openapi'
import { eventIdOf } from '@keepsend/outbox'
import { countReplayed } from '../deliveries.ts'
import { readShown } from '../endpoint-columns.ts'
import { type EndpointSecret, readRotated } from '../endpoint-secrets.ts'
import type { Endpoint } from '../endpoint.ts'
import { EngineError } from '../errors.ts'
import type { Once } from '../once.ts'
import type { SignatureScheme } from '../sign.ts'
import { IF_MATCH, etagOf, ifMatch, readIfMatch } from './etag.ts'
import { answerOnce, idempotent } from './once.ts'
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

const shownOnce = z.string().nullable().openapi({
  description: 'null in the answer to a repeat, when the secret has ended by then',
})
const created = z.object({ ...endpointSchema.shape, secret: shownOnce }).openapi('CreatedEndpoint')
const rotated = z.object({ ...secretSchema.shape, secret: shownOnce }).openapi('RotatedSecret')

const create = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints',
  summary: 'Add an endpoint',
  description: 'The answer holds the signing secret.',
  request: { headers: idempotent, body: body(endpointInput) },
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

const changeHeaders = idempotent.extend(ifMatch.shape)

const update = defineRoute('endpoints:write', {
  method: 'patch',
  path: '/endpoints/{id}',
  summary: 'Change an endpoint',
  description: `What is left out stays as it is. ${IF_MATCH}`,
  request: { params: idParam, headers: changeHeaders, body: body(endpointChange) },
  responses: { 200: json('The endpoint', endpointSchema) },
})

const remove = defineRoute('endpoints:write', {
  method: 'delete',
  path: '/endpoints/{id}',
  summary: 'Delete an endpoint',
  description: `Its waiting deliveries fail as \`endpoint_gone\`. ${IF_MATCH}`,
  request: { params: idParam, headers: changeHeaders },
  responses: { 204: { description: 'Deleted' } },
})

const enable = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints/{id}/enable',
  summary: 'Enable an endpoint',
  description: 'Its circuit is closed, and what was held for it is sent, batch by batch.',
  request: { params: idParam, headers: idempotent },
  responses: { 200: json('The endpoint', endpointSchema) },
})

const disable = defineRoute('endpoints:write', {
  method: 'post',
  path: '/endpoints/{id}/disable',
  summary: 'Disable an endpoint',
  description: 'What waits for it is held; new events pass it by.',
  request: { params: idParam, headers: idempotent },
  responses: { 200: json('The endpoint', endpointSchema) },
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
    headers: idempotent,
    body: body(z.strictObject({ overlapMs: z.int().optional(), scheme: scheme.optional() })),
  },
  responses: { 200: json('The new secret', rotated) },
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
  request: { params: idParam, headers: idempotent },
  responses: { 202: json('Kept', z.object({ eventId: z.string() })) },
})

const replay = defineRoute('deliveries:write', {
  method: 'post',
  path: '/endpoints/{id}/replay',
  summary: 'Send again what was settled',
  description: 'At most 1,000 deliveries, oldest settlement first: repeat while `more`. They are sent bit by bit.',
  request: { params: idParam, headers: idempotent, body: body(replayInput) },
  responses: { 202: json('How many', z.object({ count: z.int(), more: z.boolean() })) },
})

export function endpointRoutes(engine: RouteEngine): EngineRoutes {
  const { endpoints, deliveries } = engine
  const app = newRoutes()
  /** The secret of a stored answer, which has none; null when it is there no more. */
  const secretAgain = async (
    { workspaceId, id }: Pick<Endpoint, 'workspaceId' | 'id'>,
    wanted: { scheme: SignatureScheme; version: number },
  ): Promise<string | null> => {
    const secrets = await endpoints.secrets(workspaceId, id).catch((error: unknown) => {
      if (error instanceof EngineError && error.code === 'not_found') return []
      throw error
    })
    return secrets.find(({ scheme: of, version }) => of === wanted.scheme && version === wanted.version)?.secret ?? null
  }
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
    const { workspaceId } = c.get('principal')
    const { endpoint, secret } = await answerOnce<{ endpoint: Endpoint; secret: string | null }>(
      c,
      engine,
      (once) => endpoints.create(workspaceId, c.req.valid('json'), { once }),
      async (answer) => {
        const shown = readShown(answer)
        return {
          endpoint: shown,
          secret: await secretAgain(shown, { scheme: shown.signatures[0] ?? 'v1', version: 1 }),
        }
      },
    )
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
    const { id } = c.req.valid('param')
    const change = (once: Once | undefined): Promise<Endpoint> =>
      endpoints.update(workspaceId, id, c.req.valid('json'), { ifVersion, once })
    const endpoint = await answerOnce(c, engine, change, readShown)
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(remove, async (c) => {
    const ifVersion = readIfMatch(c.req.valid('header')['if-match'])
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    await answerOnce(
      c,
      engine,
      (once) => endpoints.delete(workspaceId, id, { ifVersion, once }),
      () => undefined,
    )
    return c.body(null, 204)
  })

  app.openapi(enable, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const change = (once: Once | undefined): Promise<Endpoint> =>
      endpoints.setStatus(workspaceId, id, 'enabled', { once })
    const endpoint = await answerOnce(c, engine, change, readShown)
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(disable, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const change = (once: Once | undefined): Promise<Endpoint> =>
      endpoints.setStatus(workspaceId, id, 'disabled', { once })
    const endpoint = await answerOnce(c, engine, change, readShown)
    c.header('etag', etagOf(endpoint))
    return c.json(showEndpoint(endpoint), 200)
  })

  app.openapi(rotate, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const secret = await answerOnce<Omit<EndpointSecret, 'secret'> & { secret: string | null }>(
      c,
      engine,
      (once) => endpoints.rotateSecret(workspaceId, id, { ...c.req.valid('json'), once }),
      async (answer) => {
        const shown = readRotated(answer)
        return { ...shown, secret: await secretAgain({ workspaceId, id }, shown) }
      },
    )
    return c.json({ ...showSecret({ ...secret, secret: '' }), secret: secret.secret }, 200)
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
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const sent = await answerOnce(
      c,
      engine,
      (once) => engine.sendTest(workspaceId, id, { once }),
      (deliveryId) => ({ eventId: eventIdOf(deliveryId) }),
    )
    return c.json({ eventId: sent.eventId }, 202)
  })

  app.openapi(replay, async (c) => {
    const { status, settledAfter, settledBefore } = c.req.valid('json')
    const [after, before] = [settledAfter, settledBefore].map((time) => (time === undefined ? time : Date.parse(time)))
    const filter = { endpointId: c.req.valid('param').id, status, settledAfter: after, settledBefore: before }
    const replayed = await answerOnce(
      c,
      engine,
      (once) => deliveries.replayOf(c.get('principal').workspaceId, filter, { once }),
      countReplayed,
    )
    return c.json(replayed, 202)
  })

  return app
}
