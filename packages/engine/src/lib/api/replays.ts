import { z } from '@hono/zod-openapi'
import type { EngineRoutes } from '../engine-routes.ts'
import type { Acting } from '../audit/action.ts'
import type { ReplayInput } from '../replays/replay-input.ts'
import { type ReplayJob, type ReplayPlan, readAnswered } from '../replays/replay-job.ts'
import { msOf } from './bounded.ts'
import * as examples from './examples.ts'
import { answerOnce, idempotent } from './once.ts'
import { pageOf, pageQuery, readCursor, showPage } from './page.ts'
import { endpointReplayRequest, replayRequest, replayPlanSchema, replaySchema } from './replay-schemas.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { idParam } from './schemas.ts'
import { iso } from './show.ts'
import { scopeOf, withWorkspace, workspaceQuery } from './workspace-scope.ts'

const { planned, plannedMore, reachesBackTo, until } = examples.replay

const create = defineRoute(
  'deliveries:write',
  {
    method: 'post',
    path: '/replays',
    operationId: 'createReplay',
    tags: ['Replays'],
    summary: 'Send deliveries again, as a job',
    description: 'They keep their `webhook-id`, and are sent a few at a time, so that new events are not delayed.',
    request: {
      headers: idempotent,
      body: body(replayRequest, {
        failed: { what: 'failed', endpointId: examples.endpoint.id, since: '2026-11-23T12:00:00Z' },
        dryRun: { what: 'missed', endpointId: examples.endpoint.id, dryRun: true },
        named: { what: 'ids', ids: [examples.delivery.id], rate: 5 },
      }),
    },
    responses: {
      200: json('What a dry run counted', replayPlanSchema, { planned, plannedMore, reachesBackTo, until }),
      201: json('The replay', replaySchema, examples.replay, 'Location'),
    },
  },
  { problems: ['not_found', 'not_retained', 'conflict', 'too_many_replays'] },
)

const createOfEndpoint = defineRoute(
  'deliveries:write',
  {
    method: 'post',
    path: '/endpoints/{id}/replay',
    operationId: 'replayEndpoint',
    tags: ['Replays'],
    summary: 'Send failed deliveries of an endpoint again, as a job',
    description: 'The same as `POST /replays` with `what: "failed"` and this `endpointId`.',
    request: {
      params: idParam,
      headers: idempotent,
      body: body(endpointReplayRequest, { all: {}, since: { since: '2026-11-23T12:00:00Z' } }),
    },
    responses: { 201: json('The replay', replaySchema, examples.replay, 'Location') },
  },
  { problems: ['not_found', 'conflict', 'too_many_replays'] },
)

const list = defineRoute('deliveries:read', {
  method: 'get',
  path: '/replays',
  operationId: 'listReplays',
  tags: ['Replays'],
  summary: 'List replays, newest first',
  description: 'Until 30 days after their end.',
  request: { query: z.strictObject({ ...pageQuery, ...workspaceQuery }) },
  responses: { 200: json('A page of replays', pageOf('ReplayPage', replaySchema), { data: [examples.replay] }) },
})

const get = defineRoute(
  'deliveries:read',
  {
    method: 'get',
    path: '/replays/{id}',
    operationId: 'getReplay',
    tags: ['Replays'],
    summary: 'Get a replay with its progress',
    request: { params: idParam, query: z.strictObject(workspaceQuery) },
    responses: { 200: json('The replay', replaySchema, examples.replay) },
  },
  { problems: ['not_retained'] },
)

const change = (verb: 'pause' | 'resume' | 'cancel', summary: string, description: string) =>
  defineRoute(
    'deliveries:write',
    {
      method: 'post',
      path: `/replays/{id}/${verb}`,
      operationId: `${verb}Replay`,
      tags: ['Replays'],
      summary,
      description,
      request: { params: idParam, headers: idempotent },
      responses: { 200: json('The replay', replaySchema, examples.replay) },
    },
    { problems: ['not_retained', 'conflict'] },
  )

const CHANGES = {
  pause: change('pause', 'Pause a running replay', 'It takes no further delivery until it is resumed.'),
  resume: change('resume', 'Resume a paused replay', 'It continues where it was.'),
  cancel: change('cancel', 'Cancel a replay', 'Deliveries that it has taken are sent; the others stay as they are.'),
}

export function replayRoutes(engine: RouteEngine): EngineRoutes {
  const { replays } = engine
  const app = newRoutes()

  app.openapi(create, async (c) => {
    const { workspaceId } = c.get('principal')
    const { dryRun, ...given } = c.req.valid('json')
    const input: ReplayInput = 'ids' in given ? given : { ...given, since: msOf(given.since), until: msOf(given.until) }
    if (dryRun) return c.json(showPlan(await replays.create(workspaceId, { ...input, dryRun })), 200)
    const made = (acting: Acting): Promise<ReplayJob> =>
      replays.create(workspaceId, { ...input, dryRun: false }, { acting })
    const job = await answerOnce(c, engine, made, readAnswered)
    c.header('location', `replays/${job.id}`)
    return c.json(showReplay(job), 201)
  })

  app.openapi(createOfEndpoint, async (c) => {
    const { since, until: before, rate } = c.req.valid('json')
    const range = { since: msOf(since), until: msOf(before) }
    const input = { what: 'failed', endpointId: c.req.valid('param').id, ...range, rate } as const
    const made = (acting: Acting): Promise<ReplayJob> =>
      replays.create(c.get('principal').workspaceId, input, { acting })
    const job = await answerOnce(c, engine, made, readAnswered)
    c.header('location', `../../replays/${job.id}`)
    return c.json(showReplay(job), 201)
  })

  app.openapi(list, async (c) => {
    const { cursor, limit, workspaceId } = c.req.valid('query')
    const principal = c.get('principal')
    const page = await replays.list(scopeOf(principal, workspaceId), { limit, before: readCursor(cursor, 'rep_') })
    return c.json(showPage(page, withWorkspace(principal, showReplay)), 200)
  })

  app.openapi(get, async (c) => {
    const principal = c.get('principal')
    const scope = scopeOf(principal, c.req.valid('query').workspaceId)
    const job = await replays.get(scope, c.req.valid('param').id)
    return c.json(withWorkspace(principal, showReplay)(job), 200)
  })

  for (const [verb, route] of Object.entries(CHANGES)) {
    app.openapi(route, async (c) => {
      const { workspaceId } = c.get('principal')
      const { id } = c.req.valid('param')
      const changed = (acting: Acting): Promise<ReplayJob> =>
        replays[verb as keyof typeof CHANGES](workspaceId, id, { acting })
      return c.json(showReplay(await answerOnce(c, engine, changed, readAnswered)), 200)
    })
  }

  return app
}

function showPlan({ reachesBackTo: from, until: to, ...plan }: ReplayPlan): z.infer<typeof replayPlanSchema> {
  return { ...plan, reachesBackTo: from === null ? null : iso(from), until: iso(to) }
}

function showReplay({ workspaceId: _, selection, ...job }: ReplayJob): z.infer<typeof replaySchema> {
  const { endpointId: _id, since, until: before, ...filter } = selection
  return {
    ...job,
    ...showPlan(job),
    filter: {
      ...filter,
      ...(since !== undefined && { since: iso(Number(since)) }),
      ...(before !== undefined && { until: iso(Number(before)) }),
    },
    createdAt: iso(job.createdAt),
    endedAt: job.endedAt === null ? null : iso(job.endedAt),
  }
}
