import { z } from '@hono/zod-openapi'
import type { EngineRoutes } from '../engine-routes.ts'
import * as examples from './examples.ts'
import { pageOf, pageQuery, readCursor, showPage } from './page.ts'
import { type RouteEngine, defineRoute, json, newRoutes } from './route.ts'

const shown = {
  example: z.record(z.string(), z.unknown()).nullable().openapi({ description: 'The `data` of an event' }),
  jsonSchema: z
    .record(z.string(), z.unknown())
    .nullable()
    .openapi({ description: 'That of the `data`, JSON Schema 2020-12; null: none is known' }),
}

const eventType = z
  .object({
    type: z.string(),
    description: z.string().nullable(),
    deprecated: z.boolean().openapi({ description: 'New receivers should use another type' }),
    ...shown,
    versions: z
      .array(
        z
          .object({
            labels: z.array(z.string()).openapi({ description: 'Endpoints with one of these labels get this `data`' }),
            ...shown,
          })
          .openapi('EventTypeVersion'),
      )
      .openapi({
        description:
          'The newest first, whose `example` and `jsonSchema` are those of the type; empty if the server has no versions',
      }),
  })
  .openapi('EventType')

const { data } = examples.event
const jsonSchema = { type: 'object', properties: { id: { type: 'string' }, text: { type: 'string' } } }
const older = { type: 'object', properties: { id: { type: 'string' }, body: { type: 'string' } } }

const list = defineRoute('events:read', {
  method: 'get',
  path: '/event-types',
  operationId: 'listEventTypes',
  tags: ['Events'],
  summary: 'List the types of events that the server publishes',
  description: 'In the order of their names; empty if the server has no catalog.',
  request: {
    query: z.strictObject({
      ...pageQuery,
      deprecated: z
        .enum(['true', 'false'])
        .optional()
        .openapi({ description: 'Only deprecated types, or only others; default: both' }),
    }),
  },
  responses: {
    200: json('A page of types', pageOf('EventTypePage', eventType), {
      data: [
        {
          type: examples.event.type,
          description: 'A message was posted.',
          deprecated: false,
          example: data,
          jsonSchema,
          versions: [
            { labels: ['2026-11'], example: data, jsonSchema },
            { labels: ['2026-05', '2026-01'], example: { id: data.id, body: data.text }, jsonSchema: older },
          ],
        },
      ],
    }),
  },
})

export function eventTypeRoutes(engine: RouteEngine): EngineRoutes {
  const app = newRoutes()
  app.openapi(list, (c) => {
    const { limit, cursor, deprecated } = c.req.valid('query')
    const before = readCursor(cursor, '')
    const types = engine.eventTypes({ deprecated: deprecated && deprecated === 'true' })
    const from = before === undefined ? 0 : types.findIndex(({ type }) => type > before)
    const rows = from === -1 ? [] : types.slice(from, from + limit)
    const next = from !== -1 && from + limit < types.length ? rows.at(-1)?.type : undefined
    return c.json(
      showPage({ rows, next, complete: true }, (type) => type),
      200,
    )
  })
  return app
}
