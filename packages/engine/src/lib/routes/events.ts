import { z } from '@hono/zod-openapi'
import { newEventId } from '@keepsend/outbox'
import type { EventSummary } from '../delivery-list.ts'
import { backgroundOf, idempotencyKeyOf } from '../hono.ts'
import { parseAsWritten } from '../exact-json.ts'
import { parseStored } from '../stored-json.ts'
import { idempotent } from './once.ts'
import * as examples from './examples.ts'
import { pageOf, pageQuery, readCursor, showPage } from './page.ts'
import { type EngineRoutes, type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { iso, toDelivery } from './show.ts'
import { eventDetail, eventInput, eventSummary, idParam, publishedEvent } from './schemas.ts'

const MAX_BATCH = 100
/** 1 MiB. Each event of a batch has its own bound besides. */
const MAX_BATCH_BYTES = 1_048_576

// JSON's own types tell the forms apart, in the request and in the answer: docs/decisions/083-one-or-many.md.
const eventList = z.array(eventInput).min(1).max(MAX_BATCH).openapi('EventInputList', { description: 'All or none' })
const publishedList = z
  .array(publishedEvent)
  .openapi('PublishedEventList', { description: 'In the order of the request' })

const publish = defineRoute(
  'events:write',
  {
    method: 'post',
    path: '/events',
    operationId: 'publishEvents',
    tags: ['Events'],
    summary: 'Publish one event, or up to 100',
    description: 'Stored for every subscribed endpoint before the answer: of one event an object, of a list a list.',
    request: {
      headers: idempotent,
      body: body(z.union([eventInput, eventList]), {
        one: examples.event,
        many: [examples.event, { ...examples.event, channels: ['general'], timestamp: '2026-11-23T12:00:00Z' }],
      }),
    },
    responses: {
      202: json('Stored', z.union([publishedEvent, publishedList]), {
        id: examples.EVENT_ID,
        type: examples.event.type,
      }),
    },
  },
  {
    maxBodyBytes: MAX_BATCH_BYTES,
    problems: ['invalid_event', 'too_many_deliveries', 'too_many_waiting'],
  },
)

const summary = { id: examples.EVENT_ID, type: examples.event.type, createdAt: examples.delivery.createdAt }

const list = defineRoute('events:read', {
  method: 'get',
  path: '/events',
  operationId: 'listEvents',
  tags: ['Events'],
  summary: 'List retained events, newest first',
  request: { query: z.strictObject(pageQuery) },
  responses: {
    200: json('A page of events', pageOf('EventPage', eventSummary), {
      data: [{ ...summary, deliveries: { pending: 0, held: 0, completed: 0, failed: 1 } }],
      cursor: examples.CURSOR,
    }),
  },
})

const get = defineRoute(
  'events:read',
  {
    method: 'get',
    path: '/events/{id}',
    operationId: 'getEvent',
    tags: ['Events'],
    summary: 'Get an event with its retained deliveries',
    request: { params: idParam },
    responses: {
      200: json('The event', eventDetail, {
        ...summary,
        payload: { ...examples.event, timestamp: summary.createdAt },
        deliveries: [examples.delivery],
      }),
    },
  },
  { problems: ['not_retained'] },
)

type Published = z.infer<typeof publishedEvent>

export function eventRoutes(engine: RouteEngine): EngineRoutes {
  const app = newRoutes()

  app.openapi(publish, async (c) => {
    const { workspaceId } = c.get('principal')
    const input = c.req.valid('json')
    const inputs = Array.isArray(input) ? input : [input]
    // The same, with the digits of numbers that JavaScript would change.
    const written = parseAsWritten(c.get('bodyText')) as typeof input | undefined
    const writtenList = Array.isArray(written) ? written : [written]
    const events = inputs.map((event, index) => {
      return { ...event, data: writtenList[index]?.data ?? event.data, id: event.id ?? newEventId(), workspaceId }
    })
    const published = events.map(({ id, type }) => ({ id, type }))
    const idempotencyKey = await idempotencyKeyOf(c, workspaceId)
    const committed = await engine.commit({
      writes: [],
      events,
      response: { status: 202, body: Array.isArray(input) ? published : published[0] },
      idempotencyKey,
      background: backgroundOf(c),
    })
    if (committed.replayed) c.header('idempotency-replayed', 'true')
    return c.json(JSON.parse(committed.body) as Published | Published[], 202)
  })

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const before = readCursor(cursor, 'evt_')
    const page = await engine.deliveries.listEvents(c.get('principal').workspaceId, { limit, before })
    const show = ({ id, type, createdAt, ...deliveries }: EventSummary) => ({
      id,
      type,
      createdAt: iso(createdAt),
      deliveries,
    })
    return c.json(showPage(page, show), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const { deliveries, complete, ...event } = await engine.deliveries.ofEvent(c.get('principal').workspaceId, id)
    const [first] = deliveries
    const createdAt = iso(first?.createdAt ?? 0)
    const parsed = parseStored(event.payload)
    const payload = parsed === undefined ? event.payload : (parseAsWritten(event.payload) ?? parsed)
    const shown = { id, type: first?.type ?? '', createdAt, payload, deliveries: deliveries.map(toDelivery) }
    return c.json(complete ? shown : { ...shown, complete }, 200)
  })

  return app
}
