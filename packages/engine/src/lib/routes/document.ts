import type { Context } from 'hono'
import { toHex, utf8 } from '../encoding.ts'
import type { EngineRoutes } from './route.ts'

interface Document {
  bytes: Uint8Array<ArrayBuffer>
  etag: string
}

/**
 * `GET /openapi.json`, which asks for no key: made from the routes at the first request, and from then on the same bytes for
 * everybody, with an entity tag.
 */
export function addDocument(app: EngineRoutes): void {
  let made: Promise<Document> | undefined
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', { type: 'http', scheme: 'bearer' })
  app.get('/openapi.json', async (c) => {
    const { bytes, etag } = await (made ??= documentOf(app))
    const headers = { etag, 'cache-control': 'no-cache' }
    if (matches(c, etag)) return c.body(null, 304, headers)
    return c.body(bytes, 200, { ...headers, 'content-type': 'application/json; charset=utf-8' })
  })
}

async function documentOf(app: EngineRoutes): Promise<Document> {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Keepsend',
      version: '1',
      description: 'Endpoints, events and deliveries of one workspace: that of the credential.',
    },
    security: [{ apiKey: [] }],
  })
  const bytes = utf8(JSON.stringify(document))
  const digest = await crypto.subtle.digest('SHA-256', bytes)
  return { bytes, etag: `"${toHex(new Uint8Array(digest, 0, 16))}"` }
}

/** RFC 9110, 13.1.2: a weak comparison with each tag of the list. */
function matches(c: Context, etag: string): boolean {
  const asked = c.req.header('if-none-match')
  return (
    asked !== undefined &&
    (asked.trim() === '*' || asked.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag))
  )
}
