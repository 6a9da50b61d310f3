import { z } from '@hono/zod-openapi'
import { newEventId } from '@keepsend/outbox'
import type { WebhookEvent } from '../publish/event.ts'
import { isTraceparent } from '../publish/traceparent.ts'
import type { Principal } from '../access/api-keys.ts'
import type { DeliveryState } from '../deliveries/delivery.ts'
import type { StoredEvent } from '../events/event-store.ts'
import type { ListedEvent } from '../events/recorded-events.ts'
import { backgroundOf, idempotencyKeyOf } from '../hono.ts'
import { asWritten, parseAsWritten } from '../formats/exact-json.ts'
import { parseStored } from '../formats/stored-json.ts'
import * as bounded from './bounded.ts'
import { idempotent } from './once.ts'
import * as examples from './examples.ts'
import { MAX_POSITION, longCursor, pageOf, pageQuery, readCursor, showPage } from './page.ts'
import { type RouteEngine, body, defineRoute, json, newRoutes } from './route.ts'
import type { EngineRoutes } from '../engine-routes.ts'
import { iso, toDelivery } from './show.ts'
import { readSearch, searchQuery } from './event-search.ts'
import { eventDetail, eventInput, eventSummary, publishedEvent, traced } from './event-schemas.ts'
import { idParam } from './schemas.ts'
import { oneWorkspaceQuery, scopeOf, withWorkspace, workspaceOf, workspaceQuery } from './workspace-scope.ts'

const MAX_BATCH = 100
/** 1 MiB. The bound of a single event applies to each event of a batch too. */
const MAX_BATCH_BYTES = 1_048_576

// `object` tells one event from a list, in request and answer: docs/decisions/083-one-or-many.md.
const inputs = z.array(eventInput).min(1).max(MAX_BATCH)
const eventList = z
  .strictObject({ object: z.literal('list'), data: inputs })
  .openapi('EventInputList', { description: 'All are published, or none' })
const publishedList = z
  .object({ object: z.literal('list'), data: z.array(publishedEvent) })
  .openapi('PublishedEventList', { description: 'In the order of the request' })

/** The document describes an event and a list by their `object`. The short form, an array, has no properties and is left out. */
const oneOrMany = (one: string, many: string) => {
  const [event, list] = [one, many].map((name) => `#/components/schemas/${name}`)
  return {
    oneOf: [{ $ref: event }, { $ref: list }],
    discriminator: { propertyName: 'object', mapping: { event, list } },
  }
}
const publishInput = z
  .union([eventInput, eventList, inputs])
  .openapi(oneOrMany('EventInput', 'EventInputList') as object)
const publishAnswer = z
  .union([publishedEvent, publishedList, z.array(publishedEvent)])
  .openapi(oneOrMany('PublishedEvent', 'PublishedEventList') as object)

const oneEvent = { object: 'event' as const, ...examples.event }

const publish = defineRoute(
  'events:write',
  {
    method: 'post',
    path: '/events',
    operationId: 'publishEvents',
    tags: ['Events'],
    summary: 'Publish one event, or up to 100',
    description: 'Stored for every subscribed endpoint before the answer. One event gets an event, a list gets a list.',
    request: {
      headers: idempotent.extend(traced),
      body: body(publishInput, {
        one: oneEvent,
        many: {
          object: 'list',
          data: [oneEvent, { ...oneEvent, channels: ['general'], timestamp: '2026-11-23T12:00:00Z' }],
        },
      }),
    },
    responses: {
      202: json('Stored', publishAnswer, { object: 'event', id: examples.EVENT_ID, type: examples.event.type }),
    },
  },
  {
    maxBodyBytes: MAX_BATCH_BYTES,
    problems: ['invalid_event', 'too_many_deliveries', 'too_many_waiting'],
  },
)

const summary = {
  id: examples.EVENT_ID,
  type: examples.event.type,
  createdAt: examples.delivery.createdAt,
  traceId: examples.TRACE_ID,
}

const list = defineRoute(
  'events:read',
  {
    method: 'get',
    path: '/events',
    operationId: 'listEvents',
    tags: ['Events'],
    summary: 'List retained events, newest first',
    description: 'With `history` on the server: all events. Otherwise: events with a retained delivery.',
    request: {
      query: z.strictObject({
        ...pageQuery,
        cursor: longCursor,
        type: bounded.typeFilter.optional(),
        traceId: bounded.traceIdFilter
          .optional()
          .openapi({ description: 'That of the `traceparent` of its publisher' }),
        since: bounded.isoTime.optional().openapi({ description: 'At this time or later, by the time in the id' }),
        until: bounded.isoTime.optional().openapi({ description: 'Before this time' }),
        ...searchQuery,
        ...workspaceQuery,
      }),
    },
    responses: {
      200: json('A page of events', pageOf('EventPage', eventSummary), {
        data: [{ ...summary, deliveries: { pending: 0, held: 0, completed: 0, failed: 1 } }],
        cursor: examples.CURSOR,
      }),
    },
  },
  { problems: ['not_retained'] },
)

const get = defineRoute(
  'events:read',
  {
    method: 'get',
    path: '/events/{id}',
    operationId: 'getEvent',
    tags: ['Events'],
    summary: 'Get an event with its retained deliveries',
    request: { params: idParam, query: z.strictObject(oneWorkspaceQuery) },
    responses: {
      200: json('The event', eventDetail, {
        ...summary,
        channels: ['general'],
        payload: { ...examples.event, timestamp: summary.createdAt },
        contentType: null,
        eventVersion: null,
        counts: { pending: 0, held: 0, completed: 0, failed: 1 },
        deliveries: [examples.delivery],
      }),
    },
  },
  { problems: ['not_retained'] },
)

type Published = z.infer<typeof publishAnswer>

export function eventRoutes(engine: RouteEngine): EngineRoutes {
  const app = newRoutes()

  app.openapi(publish, async (c) => {
    const { workspaceId } = c.get('principal')
    const given = c.req.header('traceparent')
    const traceparent = isTraceparent(given) ? given : undefined
    const input = c.req.valid('json')
    // The same input with the digits of numbers that JavaScript would change.
    const written = parseAsWritten(c.get('bodyText')) as typeof input | undefined
    const writtenList = written && listOf(written)
    const events = listOf(input).map(({ object: _form, ...event }, index) => {
      const { id = newEventId(), data } = event
      const exact = writtenList?.[index]?.data
      return {
        ...event,
        data: data && exact ? asWritten(exact, data) : data,
        id,
        workspaceId,
        traceparent,
      } as WebhookEvent & {
        id: string
      }
    })
    const published = events.map(({ id, type }) => ({ object: 'event', id, type }))
    const [first] = published
    const idempotencyKey = await idempotencyKeyOf(c, workspaceId)
    const committed = await engine.commit({
      writes: [],
      events,
      response: {
        status: 202,
        body: Array.isArray(input) ? published : input.object === 'list' ? { object: 'list', data: published } : first,
      },
      idempotencyKey,
      background: backgroundOf(c),
    })
    if (committed.replayed) c.header('idempotency-replayed', 'true')
    return c.json(JSON.parse(committed.body) as Published, 202)
  })

  app.openapi(list, async (c) => {
    const { cursor, since, until, workspaceId, searchPath, searchValue, searchPrefix, ...filter } = c.req.valid('query')
    const principal = c.get('principal')
    const times = { since: bounded.msOf(since), until: bounded.msOf(until) }
    const before = readCursor(cursor, 'evt_', MAX_POSITION)
    const search = readSearch({ searchPath, searchValue, searchPrefix })
    const page = await engine.events.list(scopeOf(principal, workspaceId), { ...filter, ...times, before, search })
    const show = ({ id, workspaceId: _, type, createdAt, traceId, ...deliveries }: ListedEvent) => ({
      id,
      type,
      createdAt: iso(createdAt),
      traceId,
      deliveries,
    })
    return c.json(showPage(page, withWorkspace(principal, show)), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const principal = c.get('principal')
    const event = await engine.events.get(workspaceOf(principal, c.req.valid('query').workspaceId), id)
    return c.json(withWorkspace(principal, (one: StoredEvent) => showEvent(principal, one))(event), 200)
  })

  return app
}

function showEvent(principal: Principal, event: StoredEvent) {
  const { id, type, createdAt, channels, payload, contentType, pending, held, completed, failed, rows, complete } =
    event
  const shown = {
    id,
    type,
    createdAt: iso(createdAt),
    traceId: event.traceId,
    channels,
    payload: payload === null || contentType !== null ? payload : readPayload(payload),
    contentType,
    eventVersion: event.eventVersion,
    counts: { pending, held, completed, failed },
    deliveries: rows.map(withWorkspace(principal, (row: DeliveryState) => toDelivery(row))),
  }
  return complete ? shown : { ...shown, complete: false as const }
}

function listOf(input: z.infer<typeof publishInput>): z.infer<typeof inputs> {
  if (Array.isArray(input)) return input
  return input.object === 'list' ? input.data : [input]
}

/** The envelope with the original digits of its numbers; a payload that was broken by hand as text. */
function readPayload(payload: string) {
  const parsed = parseStored(payload)
  return parsed === undefined ? payload : (parseAsWritten(payload) ?? parsed)
}
