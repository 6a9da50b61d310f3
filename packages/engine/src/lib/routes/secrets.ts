import { z } from '@hono/zod-openapi'
import { type EndpointSecret, readRotated } from '../endpoint-secrets.ts'
import type { Endpoint } from '../endpoint.ts'
import { EngineError } from '../errors.ts'
import { answerOnce, idempotent } from './once.ts'
import { type EngineRoutes, type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { iso } from './iso.ts'
import { idParam, publicKeySchema, scheme, secretSchema } from './schemas.ts'

/** A secret in the answer to the request that made it. */
export const shownOnce = z.string().nullable().openapi({
  description: 'null in the answer to a repeat, when the secret has ended by then',
})

const rotated = z.object({ ...secretSchema.shape, secret: shownOnce }).openapi('RotatedSecret')

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

export function secretRoutes(engine: RouteEngine): EngineRoutes {
  const { endpoints } = engine
  const app = newRoutes()

  app.openapi(rotate, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const secret = await answerOnce<Shown<string | null>>(
      c,
      engine,
      (once) => endpoints.rotateSecret(workspaceId, id, { ...c.req.valid('json'), once }),
      async (answer) => {
        const shown = readRotated(answer)
        return { ...shown, secret: await secretAgain(engine, { workspaceId, id }, shown) }
      },
    )
    return c.json(showSecret(secret), 200)
  })

  app.openapi(reveal, async (c) => {
    const secrets = await endpoints.secrets(c.get('principal').workspaceId, c.req.valid('param').id)
    return c.json({ data: secrets.map(showSecret<string>) }, 200)
  })

  app.openapi(publicKey, async (c) => {
    const secrets = await endpoints.secrets(c.get('principal').workspaceId, c.req.valid('param').id)
    const data = secrets
      .filter((one) => one.scheme === 'v1a')
      .map(showSecret<string>)
      .map(({ version, secret, createdAt, expiresAt }) => ({ version, publicKey: secret, createdAt, expiresAt }))
    return c.json({ data }, 200)
  })

  return app
}

/** The secret of a stored answer, which has none; null when it is there no more. */
export async function secretAgain(
  { endpoints }: Pick<RouteEngine, 'endpoints'>,
  { workspaceId, id }: Pick<Endpoint, 'workspaceId' | 'id'>,
  wanted: Pick<EndpointSecret, 'scheme' | 'version'>,
): Promise<string | null> {
  const secrets = await endpoints.secrets(workspaceId, id).catch((error: unknown) => {
    if (error instanceof EngineError && error.code === 'not_found') return []
    throw error
  })
  return secrets.find(({ scheme: of, version }) => of === wanted.scheme && version === wanted.version)?.secret ?? null
}

/** As the API shows it. */
function showSecret<S extends string | null>({ scheme: of, version, secret, createdAt, expiresAt }: Shown<S>) {
  return {
    scheme: of,
    version,
    secret,
    createdAt: iso(createdAt),
    expiresAt: expiresAt === null ? null : iso(expiresAt),
  }
}

type Shown<S extends string | null> = Omit<EndpointSecret, 'secret'> & { secret: S }
