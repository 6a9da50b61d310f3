import { z } from '@hono/zod-openapi'
import { AUDIT_VERBS } from '../audit-verbs.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { auditSchema } from './audit-schema.ts'
import * as bounded from './bounded.ts'
import * as examples from './examples.ts'
import { pageOf, pageQuery, readCursor, showPage } from './page.ts'
import { type RouteEngine, defineRoute, json, newRoutes } from './route.ts'
import { toAuditEntry } from './show.ts'
import { scopeOf, withWorkspace, workspaceQuery } from './workspace-scope.ts'

const list = defineRoute('audit:read', {
  method: 'get',
  path: '/audit',
  operationId: 'listAudit',
  tags: ['Audit'],
  summary: 'List the actions of people, newest first',
  request: {
    query: z.strictObject({
      ...pageQuery,
      endpointId: bounded.id.optional(),
      verb: z.enum(AUDIT_VERBS).optional(),
      since: bounded.isoTime.optional().openapi({ description: 'At this time or later' }),
      until: bounded.isoTime.optional().openapi({ description: 'Before this time' }),
      ...workspaceQuery,
    }),
  },
  responses: {
    200: json('A page of actions', pageOf('AuditPage', auditSchema), { data: [examples.auditEntry] }),
  },
})

export function auditRoutes({ audit }: RouteEngine): EngineRoutes {
  const app = newRoutes()

  app.openapi(list, async (c) => {
    const { cursor, since, until, workspaceId, ...filter } = c.req.valid('query')
    const principal = c.get('principal')
    const times = { since: bounded.msOf(since), until: bounded.msOf(until), before: readCursor(cursor, 'aud_') }
    const page = await audit.list(scopeOf(principal, workspaceId), { ...filter, ...times })
    return c.json(showPage(page, withWorkspace(principal, toAuditEntry)), 200)
  })

  return app
}
