import { z } from '@hono/zod-openapi'
import type { Acting } from '../audit/action.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import type { ErasureInput } from '../erasures/erasure-input.ts'
import { type Erasure, readAnswered } from '../erasures/erasure-job.ts'
import { msOf } from './bounded.ts'
import { erasurePlanSchema, erasureRequest, erasureSchema } from './erasure-schemas.ts'
import * as examples from './examples.ts'
import { answerOnce, idempotent } from './once.ts'
import { pageOf, pageQuery, readCursor, showPage } from './page.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { idParam } from './schemas.ts'
import { iso } from './show.ts'
import { scopeOf, withWorkspace, workspaceQuery } from './workspace-scope.ts'

const { planned, unsettled, plannedMore } = examples.erasure

const create = defineRoute(
  'erasures:write',
  {
    method: 'post',
    path: '/erasures',
    operationId: 'createErasure',
    tags: ['Erasures'],
    summary: 'Erase an event, an endpoint, a range of times or the workspace, for good',
    description: 'Unsettled deliveries are dropped: nobody receives them. Ask with `dryRun` first.',
    request: {
      headers: idempotent,
      body: body(erasureRequest, {
        event: { what: 'event', eventId: examples.erasure.eventId },
        dryRun: { what: 'workspace', dryRun: true },
        range: { what: 'range', until: '2026-10-01T00:00:00Z' },
      }),
    },
    responses: {
      200: json('What a dry run counted', erasurePlanSchema, { planned, unsettled, plannedMore }),
      201: json('The erasure', erasureSchema, examples.erasure, 'Location'),
    },
  },
  { problems: ['conflict'] },
)

const list = defineRoute('erasures:read', {
  method: 'get',
  path: '/erasures',
  operationId: 'listErasures',
  tags: ['Erasures'],
  summary: 'List erasures, newest first',
  description: 'Until 30 days after they began.',
  request: { query: z.strictObject({ ...pageQuery, ...workspaceQuery }) },
  responses: { 200: json('A page of erasures', pageOf('ErasurePage', erasureSchema), { data: [examples.erasure] }) },
})

const get = defineRoute(
  'erasures:read',
  {
    method: 'get',
    path: '/erasures/{id}',
    operationId: 'getErasure',
    tags: ['Erasures'],
    summary: 'Get an erasure with its progress',
    request: { params: idParam, query: z.strictObject(workspaceQuery) },
    responses: { 200: json('The erasure', erasureSchema, examples.erasure) },
  },
  { problems: ['not_retained'] },
)

export function erasureRoutes(engine: RouteEngine): EngineRoutes {
  const { erasures } = engine
  const app = newRoutes()

  app.openapi(create, async (c) => {
    const { workspaceId } = c.get('principal')
    const { dryRun, ...given } = c.req.valid('json')
    const input: ErasureInput =
      given.what === 'range'
        ? { what: given.what, workspaceId, since: msOf(given.since), until: msOf(given.until) ?? 0 }
        : { ...given, workspaceId }
    if (dryRun) return c.json(await engine.erase({ ...input, dryRun }), 200)
    const made = (acting: Acting): Promise<Erasure> => engine.erase({ ...input, dryRun: false }, { acting })
    const erasure = await answerOnce(c, engine, made, readAnswered)
    c.header('location', `erasures/${erasure.id}`)
    return c.json(showErasure(erasure), 201)
  })

  app.openapi(list, async (c) => {
    const { cursor, limit, workspaceId } = c.req.valid('query')
    const principal = c.get('principal')
    const page = await erasures.list(scopeOf(principal, workspaceId), { limit, before: readCursor(cursor, 'era_') })
    return c.json(showPage(page, withWorkspace(principal, showErasure)), 200)
  })

  app.openapi(get, async (c) => {
    const principal = c.get('principal')
    const scope = scopeOf(principal, c.req.valid('query').workspaceId)
    const erasure = await erasures.get(scope, c.req.valid('param').id)
    return c.json(withWorkspace(principal, showErasure)(erasure), 200)
  })

  return app
}

function showErasure({ workspaceId: _, ...erasure }: Erasure): z.infer<typeof erasureSchema> {
  const timeOf = (ms: number | null): string | null => (ms === null ? null : iso(ms))
  return {
    ...erasure,
    since: timeOf(erasure.since),
    until: timeOf(erasure.until),
    createdAt: iso(erasure.createdAt),
    endedAt: timeOf(erasure.endedAt),
    guardsUntil: iso(erasure.guardsUntil),
  }
}
