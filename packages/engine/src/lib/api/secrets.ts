import { z } from '@hono/zod-openapi'
import { type EndpointSecret, MAX_SECRET_OVERLAP_MS, readRotated } from '../endpoints/endpoint-secrets.ts'
import type { Endpoint } from '../endpoints/endpoint.ts'
import { EngineError } from '../errors.ts'
import * as bounded from './bounded.ts'
import * as examples from './examples.ts'
import { answerOnce, idempotent } from './once.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { idParam } from './schemas.ts'
import { publicKeySchema, scheme, secretSchema } from './secret-schemas.ts'
import { iso } from './show.ts'

/** A new secret in the answer to the request that made it. */
export const shownOnce = z.string().nullable().openapi({
  description:
    'The key that the receiver verifies with; null in the answer to a repeated request if the secret has expired',
})

const rotated = z.object({ ...secretSchema.shape, secret: shownOnce }).openapi('RotatedSecret')

const rotateInput = z
  .strictObject({
    overlapMs: bounded
      .whole(0, MAX_SECRET_OVERLAP_MS)
      .optional()
      .openapi({ description: 'How long the old secret signs beside the new one; default: 24 hours' }),
    scheme: scheme.optional().openapi({ description: 'The scheme of the secret, if the endpoint has several' }),
  })
  .openapi('RotateInput')

const rotate = defineRoute(
  'endpoints:write',
  {
    method: 'post',
    path: '/endpoints/{id}/rotate-secret',
    operationId: 'rotateEndpointSecret',
    tags: ['Secrets'],
    summary: 'Make a new signing secret',
    description: 'The old one signs beside it until it expires, so that the receiver has time to switch.',
    request: {
      params: idParam,
      headers: idempotent,
      body: body(rotateInput, { aDay: {}, immediately: { overlapMs: 0 } }),
    },
    responses: { 200: json('The new secret', rotated, { ...examples.secret, version: 2 }) },
  },
  { problems: ['not_found', 'conflict', 'invalid_endpoint'] },
)

const reveal = defineRoute(
  'secrets:read',
  {
    method: 'get',
    path: '/endpoints/{id}/secret',
    operationId: 'listEndpointSecrets',
    tags: ['Secrets'],
    summary: 'List the active signing secrets, newest first',
    description: 'For `v1a` the list has the public keys.',
    request: { params: idParam },
    responses: {
      200: json('The secrets', z.object({ data: z.array(secretSchema) }).openapi('EndpointSecretList'), {
        data: [examples.secret],
      }),
    },
  },
  { problems: ['not_found'] },
)

const publicKey = defineRoute(
  'endpoints:read',
  {
    method: 'get',
    path: '/endpoints/{id}/public-key',
    operationId: 'listEndpointPublicKeys',
    tags: ['Secrets'],
    summary: 'List the active public keys of `v1a`, newest first',
    description: 'Empty if `v1a` is not among the signatures of the endpoint.',
    request: { params: idParam },
    responses: {
      200: json('The public keys', z.object({ data: z.array(publicKeySchema) }).openapi('EndpointPublicKeyList'), {
        data: [examples.publicKey],
      }),
    },
  },
  { problems: ['not_found'] },
)

export function secretRoutes(engine: RouteEngine): EngineRoutes {
  const { endpoints } = engine
  const app = newRoutes()

  app.openapi(rotate, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const secret = await answerOnce<Shown<string | null>>(
      c,
      engine,
      (acting) => endpoints.rotateSecret(workspaceId, id, { ...c.req.valid('json'), acting }),
      async (answer) => {
        const shown = readRotated(answer)
        return { ...shown, secret: await secretAgain(engine, { workspaceId, id }, shown) }
      },
    )
    return c.json(showSecret(secret), 200)
  })

  app.openapi(reveal, async (c) => {
    const { workspaceId, name: principal } = c.get('principal')
    const secrets = await endpoints.revealSecrets(workspaceId, c.req.valid('param').id, { by: principal })
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

/** Reads the secret for a stored answer, which does not contain it; null if it no longer exists. */
async function secretAgain(
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

/** Reads the secret that a new endpoint was shown with. */
export function firstSecretAgain(engine: Pick<RouteEngine, 'endpoints'>, endpoint: Endpoint): Promise<string | null> {
  return secretAgain(engine, endpoint, { scheme: endpoint.signatures[0] ?? 'v1', version: 1 })
}

/** A secret as the API shows it. */
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
