import { z } from '@hono/zod-openapi'
import { newEventId } from '@keepsend/outbox'
import type { WebhookEvent } from '../event.ts'
import type { EventSummary } from '../delivery-list.ts'
import { backgroundOf, idempotencyKeyOf } from '../hono.ts'
import { parseAsWritten } from '../exact-json.ts'
import { parseStored } from '../stored-json.ts'
import { idempotent } from './once.ts'
import { showPage } from './page.ts'
import { type EngineRoutes, type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import { iso } from './iso.ts'
import { eventDetail, eventInput, eventSummary, publishedEvent } from './event-schemas.ts'
import { idParam, pageOf, pageQuery, readCursor, toDelivery } from './schemas.ts'

const MAX_BATCH = 100
/** 1 MiB. Each event of a batch has its own bound besides. */
const MAX_BATCH_BYTES = 1_048_576

const publish = defineRoute(
  'events:write',
  {
    method: 'post',
    path: '/events',
    summary: 'Publish one event, or up to 100',
    description: 'Kept for every subscribed endpoint before the answer.',
    request: {
      headers: idempotent,
      body: body(z.union([eventInput, z.array(eventInput).min(1).max(MAX_BATCH)])),
    },
    responses: { 202: json('Kept', z.union([publishedEvent, z.array(publishedEvent)])) },
  },
  { maxBodyBytes: MAX_BATCH_BYTES },
)

const list = defineRoute('events:read', {
  method: 'get',
  path: '/events',
  summary: 'Retained events, newest first',
  request: { query: z.strictObject(pageQuery) },
  responses: { 200: json('A page of events', pageOf(eventSummary)) },
})

const get = defineRoute('events:read', {
  method: 'get',
  path: '/events/{id}',
  summary: 'One event with its retained deliveries',
  request: { params: idParam },
  responses: { 200: json('The event', eventDetail) },
})

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
      const { id = newEventId() } = event
      return { ...event, data: writtenList[index]?.data ?? event.data, id, workspaceId } as WebhookEvent & {
        id: string
      }
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
    const { contentType } = event
    const payload = contentType === null ? readPayload(event.payload) : event.payload
    const shown = {
      id,
      type: first?.type ?? '',
      createdAt,
      payload,
      contentType,
      deliveries: deliveries.map(toDelivery),
    }
    return c.json(complete ? shown : { ...shown, complete }, 200)
  })

  return app
}

/** Our envelope, with the digits of its numbers; what was broken by hand as the text that it is. */
function readPayload(payload: string): unknown {
  const parsed = parseStored(payload)
  return parsed === undefined ? payload : (parseAsWritten(payload) ?? parsed)
}
