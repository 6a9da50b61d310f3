import { z } from '@hono/zod-openapi'
import type { EngineRoutes } from '../engine-routes.ts'
import { EngineError } from '../errors.ts'
import { fromBase64Url, toBase64Url, utf8 } from '../formats/encoding.ts'
import { isWorkspaceId } from '../workspace-id.ts'
import * as examples from './examples.ts'
import { longCursor, pageOf, pageQuery } from './page.ts'
import { type RouteEngine, defineRoute, json, newRoutes } from './route.ts'
import { workspaceSchema } from './workspace-schema.ts'

const list = defineRoute('workspaces:read', {
  method: 'get',
  path: '/workspaces',
  operationId: 'listWorkspaces',
  tags: ['Workspaces'],
  summary: 'List the workspaces that have endpoints or API keys',
  description: 'For operators. In the order of their ids.',
  request: { query: z.strictObject({ limit: pageQuery.limit, cursor: longCursor }) },
  responses: {
    200: json('A page of workspaces', pageOf('WorkspacePage', workspaceSchema), { data: [examples.workspace] }),
  },
})

export function workspaceRoutes({ workspaces }: RouteEngine): EngineRoutes {
  const app = newRoutes()

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const found = await workspaces.list({ limit: limit + 1, after: cursor === undefined ? undefined : readId(cursor) })
    const data = found.slice(0, limit)
    const last = data.at(-1)
    return c.json({ data, ...(found.length > limit && last && { cursor: toBase64Url(utf8(last.id)) }) }, 200)
  })

  return app
}

function readId(cursor: string): string {
  const id = new TextDecoder().decode(fromBase64Url(cursor))
  if (isWorkspaceId(id) && toBase64Url(utf8(id)) === cursor) return id
  throw new EngineError('invalid_request', 'cursor must be the cursor of an earlier page of this list')
}
