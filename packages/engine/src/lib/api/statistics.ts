import { z } from '@hono/zod-openapi'
import type { EngineRoutes } from '../engine-routes.ts'
import { SPANS } from '../statistics/spans.ts'
import type { EndpointStatistics } from '../statistics/statistics-api.ts'
import * as bounded from './bounded.ts'
import * as examples from './examples.ts'
import { type RouteEngine, defineRoute, json, newRoutes } from './route.ts'
import { iso } from './show.ts'
import { scopeOf, withWorkspace, workspaceQuery } from './workspace-scope.ts'
import { bucketSchema, endpointStatisticsSchema, isComplete } from './statistics-schemas.ts'

const range = {
  since: bounded.isoTime.openapi({ description: 'From the minute, hour or day of this time on' }),
  until: bounded.isoTime
    .optional()
    .openapi({ description: 'To the end of the minute, hour or day that it lies in; by default now' }),
}

const series = defineRoute(
  'deliveries:read',
  {
    method: 'get',
    path: '/statistics',
    operationId: 'getStatistics',
    tags: ['Deliveries'],
    summary: 'Count attempts by minute, hour or day',
    description: 'At most 1,500 of them. Needs a server with `history.statistics`.',
    request: {
      query: z.strictObject({ ...range, by: z.enum(SPANS), endpointId: bounded.id.optional(), ...workspaceQuery }),
    },
    responses: {
      200: json(
        'One bucket for each minute, hour or day of the range',
        z.object({ data: z.array(bucketSchema), complete: isComplete }).openapi('Statistics'),
        { data: [examples.bucket] },
      ),
    },
  },
  { problems: ['not_retained'] },
)

const ofEndpoints = defineRoute(
  'deliveries:read',
  {
    method: 'get',
    path: '/statistics/endpoints',
    operationId: 'getEndpointStatistics',
    tags: ['Deliveries'],
    summary: 'Count the attempts of several endpoints, and show the last error of each',
    description: 'For at most 48 hours. Needs a server with `history.statistics`.',
    request: {
      query: z.strictObject({
        ...range,
        endpointIds: bounded.ids.openapi({ description: '1 to 100 ids, separated by commas' }),
        ...workspaceQuery,
      }),
    },
    responses: {
      200: json(
        'One item for each id, in their order; with zeros for one without attempts',
        z.object({ data: z.array(endpointStatisticsSchema), complete: isComplete }).openapi('EndpointsStatistics'),
        { data: [examples.endpointStatistics] },
      ),
    },
  },
  { problems: ['not_retained'] },
)

function timed<T extends { at: number }>({ at, ...row }: T): Omit<T, 'at'> & { at: string } {
  return { ...row, at: iso(at) }
}

export function statisticsRoutes({ statistics }: RouteEngine): EngineRoutes {
  const app = newRoutes()

  app.openapi(series, async (c) => {
    const { since, until, workspaceId, ...filter } = c.req.valid('query')
    const times = { since: bounded.msOf(since) ?? 0, until: bounded.msOf(until) }
    const scope = scopeOf(c.get('principal'), workspaceId)
    const { buckets, complete } = await statistics.series(scope, { ...filter, ...times })
    return c.json({ data: buckets.map((one) => timed(one)), ...(!complete && { complete }) }, 200)
  })

  app.openapi(ofEndpoints, async (c) => {
    const { since, until, endpointIds, workspaceId } = c.req.valid('query')
    const principal = c.get('principal')
    const times = { since: bounded.msOf(since) ?? 0, until: bounded.msOf(until) }
    const { endpoints, complete } = await statistics.summary(scopeOf(principal, workspaceId), {
      endpointIds: endpointIds.split(','),
      ...times,
    })
    const show = withWorkspace(
      principal,
      ({ buckets, lastError, workspaceId: _, ...endpoint }: EndpointStatistics) => ({
        ...endpoint,
        buckets: buckets.map((one) => timed(one)),
        lastError: lastError && timed(lastError),
      }),
    )
    return c.json({ data: endpoints.map(show), ...(!complete && { complete }) }, 200)
  })

  return app
}
