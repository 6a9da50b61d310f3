import { z } from '@hono/zod-openapi'
import type { EngineRoutes } from '../engine-routes.ts'
import { type Acting, MAX_BY } from '../audit/action.ts'
import { PROBLEM_STATES, readAnswered } from '../problems/endpoint-problem.ts'
import * as bounded from './bounded.ts'
import { endpointProblemSchema } from './endpoint-problem-schema.ts'
import * as examples from './examples.ts'
import { answerOnce, idempotent } from './once.ts'
import { pageOf, pageQuery, readCursor, showPage } from './page.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { idParam } from './schemas.ts'
import { toEndpointProblem } from './show.ts'
import { scopeOf, withWorkspace, workspaceQuery } from './workspace-scope.ts'

const list = defineRoute(
  'deliveries:read',
  {
    method: 'get',
    path: '/problems',
    operationId: 'listProblems',
    tags: ['Problems'],
    summary: 'List problems, the last seen first',
    description: 'Needs a server with `history`.',
    request: {
      query: z.strictObject({
        ...pageQuery,
        state: z.enum(PROBLEM_STATES).optional(),
        endpointId: bounded.id.optional(),
        since: bounded.isoTime.optional().openapi({ description: 'Last seen at this time or later' }),
        until: bounded.isoTime.optional().openapi({ description: 'Last seen before this time' }),
        ...workspaceQuery,
      }),
    },
    responses: {
      200: json('A page of problems', pageOf('EndpointProblemPage', endpointProblemSchema), {
        data: [examples.endpointProblem],
      }),
    },
  },
  { problems: ['not_retained'] },
)

const acknowledgement = z
  .strictObject({
    by: z.string().max(MAX_BY).optional().openapi({ description: 'Who works on it, for people' }),
  })
  .openapi('Acknowledgement')

const acknowledge = defineRoute(
  'deliveries:write',
  {
    method: 'post',
    path: '/problems/{id}/acknowledge',
    operationId: 'acknowledgeProblem',
    tags: ['Problems'],
    summary: 'Say that somebody works on an open problem',
    description: 'A resolved problem stays as it is.',
    request: {
      params: idParam,
      headers: idempotent,
      body: body(acknowledgement, { named: { by: 'dana' }, unnamed: {} }),
    },
    responses: {
      200: json('The problem', endpointProblemSchema, {
        ...examples.endpointProblem,
        state: 'acknowledged',
        stateSince: examples.endpointProblem.lastSeenAt,
        acknowledgedBy: 'dana',
      }),
    },
  },
  { problems: ['not_retained'] },
)

const resolve = defineRoute(
  'deliveries:write',
  {
    method: 'post',
    path: '/problems/{id}/resolve',
    operationId: 'resolveProblem',
    tags: ['Problems'],
    summary: 'Resolve a problem until its next failed attempt',
    request: { params: idParam, headers: idempotent },
    responses: {
      200: json('The problem', endpointProblemSchema, {
        ...examples.endpointProblem,
        state: 'resolved',
        stateSince: examples.endpointProblem.lastSeenAt,
      }),
    },
  },
  { problems: ['not_retained'] },
)

/** Routes of the problems of endpoints; problem documents are in `problems.ts`. */
export function endpointProblemRoutes(engine: RouteEngine): EngineRoutes {
  const { problems } = engine
  const app = newRoutes()

  app.openapi(list, async (c) => {
    const { cursor, since, until, workspaceId, ...filter } = c.req.valid('query')
    const principal = c.get('principal')
    const times = { since: bounded.msOf(since), until: bounded.msOf(until), before: readCursor(cursor, 'prb_') }
    const page = await problems.list(scopeOf(principal, workspaceId), { ...filter, ...times })
    return c.json(showPage(page, withWorkspace(principal, toEndpointProblem)), 200)
  })

  app.openapi(acknowledge, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const options = c.req.valid('json')
    const acknowledged = (acting: Acting) => problems.acknowledge(workspaceId, id, { ...options, acting })
    return c.json(toEndpointProblem(await answerOnce(c, engine, acknowledged, readAnswered)), 200)
  })

  app.openapi(resolve, async (c) => {
    const { workspaceId } = c.get('principal')
    const { id } = c.req.valid('param')
    const resolved = (acting: Acting) => problems.resolve(workspaceId, id, { acting })
    return c.json(toEndpointProblem(await answerOnce(c, engine, resolved, readAnswered)), 200)
  })

  return app
}
