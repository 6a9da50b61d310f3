import type { Context } from 'hono'
import type { EventType } from '../catalog/event-types.ts'
import { utf8 } from '../formats/encoding.ts'
import { sha256Hex } from '../signing/sign.ts'
import { registerHeaders } from './response-headers.ts'
import { SECURITY } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { serverUrlOf } from './server-url.ts'
import { webhooksOf } from './webhooks.ts'

/** The document, split around its `servers`, which depend on the URL of the request. */
interface Document {
  before: Uint8Array
  after: Uint8Array
  digest: string
}

const PATH = '/openapi.json'

const INFO = {
  title: 'Keepsend',
  version: '1.0.0',
  description:
    'Endpoints, events and deliveries of one workspace, that of the credential. Every error is a problem document ' +
    '(RFC 9457) with a stable `code`. Request bodies are `application/json` in UTF-8; a type that ends in `+json` is read ' +
    'the same way. There is no content negotiation: answers are JSON, whatever `Accept` says.',
  license: { name: 'MIT', identifier: 'MIT' },
}

const TAGS = [
  { name: 'Events', description: 'Events of the workspace: each is published once, to every subscribed endpoint' },
  { name: 'Endpoints', description: 'URLs of receivers: their subscriptions, settings and state' },
  { name: 'Secrets', description: 'The secrets that requests to an endpoint are signed with' },
  { name: 'API keys', description: 'The credentials of the workspace. Each is shown once' },
  { name: 'Deliveries', description: 'A delivery is one event on its way to one endpoint' },
  { name: 'Replays', description: 'Jobs that send deliveries again' },
  { name: 'Erasures', description: 'Jobs that delete for good' },
  { name: 'Problems', description: 'The failed attempts at one endpoint with one error, counted together' },
  { name: 'Workspaces', description: 'The tenants of the installation, for its operators' },
  { name: 'Audit', description: 'The actions of people, each with who acted and on what' },
  { name: 'Health', description: 'Whether the server works' },
]

/**
 * Adds `GET /openapi.json`, which needs no key. The document is made from the routes at the first request; after that every
 * request gets the same bytes, except for the URL of the server, with an entity tag.
 */
export function addDocument(
  app: EngineRoutes,
  publicUrl: string | undefined,
  eventTypes: () => readonly EventType[],
): void {
  let document: Promise<Document> | undefined
  registerHeaders(app)
  app.openAPIRegistry.registerComponent('securitySchemes', SECURITY, {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'ks_…',
    description:
      'An API key of the workspace. Each operation lists the scope that it needs. A server with its own `authenticate` ' +
      'may accept other credentials.',
  })
  app.get(PATH, async (c) => {
    const { before, after, digest } = await (document ??= documentOf(app, eventTypes()))
    const servers = JSON.stringify([{ url: publicUrl ?? serverUrlOf(c, PATH) }])
    return answerDocument(c, [before, utf8(servers), after], digest + servers)
  })
}

/** Answers the chunks of a document of JSON with an entity tag, or 304. */
export async function answerDocument(c: Context, chunks: readonly Uint8Array[], identity: string): Promise<Response> {
  const etag = `"${(await sha256Hex(identity)).slice(0, 32)}"`
  const headers = { etag, 'cache-control': 'no-cache', vary: 'X-Forwarded-Prefix' }
  if (matches(c, etag)) return c.body(null, 304, headers)
  return c.body(streamOf(chunks), 200, { ...headers, 'content-type': 'application/json; charset=utf-8' })
}

async function documentOf(app: EngineRoutes, eventTypes: readonly EventType[]): Promise<Document> {
  const {
    openapi,
    info,
    components,
    webhooks: _none,
    ...rest
  } = app.getOpenAPI31Document(
    { openapi: '3.1.0', info: INFO, tags: TAGS, security: [{ [SECURITY]: [] }] },
    { unionPreferredType: 'oneOf' },
  )
  const before = `${JSON.stringify({ openapi, info }).slice(0, -1)},"servers":`
  const { webhooks, schemas } = webhooksOf(eventTypes)
  const described = { ...rest, components: { ...components, schemas: { ...components?.schemas, ...schemas } } }
  const after = `,${JSON.stringify(eventTypes.length === 0 ? described : { ...described, webhooks }).slice(1)}`
  return { before: utf8(before), after: utf8(after), digest: await sha256Hex(before + after) }
}

/** Streams the chunks without copying them, so that a client that does not read costs no memory. */
function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  const left = chunks.values()
  return new ReadableStream({
    pull(controller) {
      const { done, value } = left.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
}

/** RFC 9110, 13.1.2: a weak comparison with each tag of the list. */
function matches(c: Context, etag: string): boolean {
  const header = c.req.header('if-none-match')
  return (
    header !== undefined &&
    (header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag))
  )
}
