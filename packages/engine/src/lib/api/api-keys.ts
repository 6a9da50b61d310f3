import { z } from '@hono/zod-openapi'
import { checkWithin, readAnsweredKey } from '../access/api-key.ts'
import type { ApiKey, NewApiKey } from '../access/api-keys.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { EngineError } from '../errors.ts'
import type { Acting } from '../audit/action.ts'
import { DEFAULT_SCOPES } from '../scopes.ts'
import { apiKeyInput, apiKeySchema, newApiKeySchema, rotateKeyInput } from './api-key-schema.ts'
import * as examples from './examples.ts'
import { answerOnce, idempotent } from './once.ts'
import { pageOf, pageQuery, readCursor, toPage } from './page.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { idParam } from './schemas.ts'
import { iso } from './show.ts'

const made = { ...examples.apiKey, key: 'ks_ZXhhbXBsZSBleGFtcGxlIGV4YW1wbGUgZXhhbXBsZSE-q0Ww1Q' }

const list = defineRoute('keys:read', {
  method: 'get',
  path: '/api-keys',
  operationId: 'listApiKeys',
  tags: ['API keys'],
  summary: 'List the API keys of the workspace, oldest first',
  description: 'Those that have expired too.',
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: json('A page of API keys', pageOf('ApiKeyPage', apiKeySchema), { data: [examples.apiKey] }) },
})

const create = defineRoute(
  'keys:write',
  {
    method: 'post',
    path: '/api-keys',
    operationId: 'createApiKey',
    tags: ['API keys'],
    summary: 'Create an API key of this workspace',
    description: 'It can have no scope that the key of the request lacks: that is 403.',
    request: {
      headers: idempotent,
      body: body(apiKeyInput, { publisher: { name: 'backend', scopes: ['events:write'] }, most: {} }),
    },
    responses: { 201: json('The API key', newApiKeySchema, made) },
  },
  { problems: ['too_many_api_keys'] },
)

const revoke = defineRoute(
  'keys:write',
  {
    method: 'delete',
    path: '/api-keys/{id}',
    operationId: 'deleteApiKey',
    tags: ['API keys'],
    summary: 'Revoke an API key',
    description: 'Any of the workspace, also one with more scopes, and the key of the request. It ends immediately.',
    request: { params: idParam, headers: idempotent },
    responses: { 204: { description: 'Revoked' } },
  },
  { problems: ['not_found'] },
)

const rotate = defineRoute(
  'keys:write',
  {
    method: 'post',
    path: '/api-keys/{id}/rotate',
    operationId: 'rotateApiKey',
    tags: ['API keys'],
    summary: 'Make a new API key with the name, scopes and lifetime of an old one',
    description:
      'The old one works until its overlap is over. A key with a scope that the key of the request lacks is refused with 403.',
    request: {
      params: idParam,
      headers: idempotent,
      body: body(rotateKeyInput, { aDay: {}, immediately: { overlapMs: 0 } }),
    },
    responses: { 200: json('The new API key', newApiKeySchema, made) },
  },
  { problems: ['not_found', 'too_many_api_keys'] },
)

export function apiKeyRoutes(engine: RouteEngine): EngineRoutes {
  const { apiKeys } = engine
  const app = newRoutes()

  /** The answer with the key, if this request has made it: the stored one does not have it. */
  async function answerKey(c: Parameters<typeof answerOnce>[0], make: (acting: Acting) => Promise<NewApiKey>) {
    let own: NewApiKey | undefined
    const answered = await answerOnce<ApiKey>(c, engine, async (acting) => (own = await make(acting)), readAnsweredKey)
    return { ...show(answered), key: own?.id === answered.id ? own.key : null }
  }

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const after = readCursor(cursor, 'key_')
    const found = await apiKeys.list(c.get('principal').workspaceId, { limit: limit + 1, after })
    const { rows, ...page } = toPage(found, limit)
    return c.json({ data: rows.map(show), ...page }, 200)
  })

  app.openapi(create, async (c) => {
    const { workspaceId, scopes: own } = c.get('principal')
    const { scopes = DEFAULT_SCOPES.filter((scope) => own.includes(scope)), ...options } = c.req.valid('json')
    checkWithin(scopes, own)
    if (scopes.length === 0) {
      throw new EngineError('invalid_request', 'scopes: this key has none that another gets by default; name them')
    }
    const answer = await answerKey(c, (acting) => apiKeys.create({ workspaceId, scopes, ...options, acting }))
    return c.json(answer, 201)
  })

  app.openapi(revoke, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    await answerOnce(
      c,
      engine,
      (acting) => apiKeys.revoke(workspaceId, id, { acting }),
      () => undefined,
    )
    return c.body(null, 204)
  })

  app.openapi(rotate, async (c) => {
    const { workspaceId, scopes } = c.get('principal')
    const { id } = c.req.valid('param')
    const options = { ...c.req.valid('json'), within: scopes }
    return c.json(await answerKey(c, (acting) => apiKeys.rotate(workspaceId, id, { ...options, acting })), 200)
  })

  return app
}

function show({ id, name, scopes, createdAt, expiresAt, lastUsedAt }: ApiKey) {
  return {
    id,
    name,
    scopes,
    createdAt: iso(createdAt),
    expiresAt: expiresAt === null ? null : iso(expiresAt),
    lastUsedAt: lastUsedAt === null ? null : iso(lastUsedAt),
  }
}
