import { z } from '@hono/zod-openapi'
import { MAX_SCHEDULE_MS, MIN_EXPIRES_IN_MS } from '../publish/event-times.ts'
import * as bounded from './bounded.ts'
import { traceId } from './content-schemas.ts'
import { count, deliverySchema, id, time } from './schemas.ts'
import { workspaceShown } from './workspace-scope.ts'

export const eventInput = z
  .strictObject({
    object: z.literal('event').optional().openapi({ description: 'Marks the body as one event' }),
    type: bounded.name.openapi({
      description: 'Up to 16 names joined by dots; the prefix `keepsend.` is reserved',
    }),
    data: z
      .record(z.string(), z.unknown())
      .optional()
      .openapi({ description: 'Sent as it is, in `{ type, timestamp, data }`; at most 64 levels deep' }),
    raw: z.strictObject({ body: bounded.rawBody, contentType: bounded.contentType }).optional().openapi({
      description: 'Instead of `data`: a body that is sent byte for byte, in UTF-8, with its own `content-type`',
    }),
    channels: bounded.channels.optional().openapi({
      description: 'Sent only to endpoints that listen to one of these channels, or to all; default: all endpoints',
    }),
    id: bounded.eventId.optional().openapi({
      description: '`evt_` and a lower-case UUIDv7; default: a new one',
    }),
    timestamp: bounded.isoTime.optional().openapi({ description: 'When it happened; default: now' }),
    deliverAt: bounded.isoTime.optional().openapi({
      description: 'No attempt begins before this time, at most 366 days ahead; default, and if it has passed: now',
    }),
    expiresInMs: bounded.whole(MIN_EXPIRES_IN_MS, MAX_SCHEDULE_MS).optional().openapi({
      description: 'Its deliveries fail as `expired` so long after `deliverAt`, or after the publish; default: never',
    }),
  })
  .refine(({ data, raw }) => (data === undefined) !== (raw === undefined), {
    path: ['data'],
    message: 'an event has either data or raw',
  })
  // `object` may be left out, but a discriminator has to be required in the document.
  .openapi('EventInput', { required: ['object', 'type'] })

/**
 * The header of a request that publishes. A malformed one is ignored, as W3C Trace Context requires: the bound, that of all headers
 * on Node, is only documented.
 */
export const traced = {
  traceparent: z.string().optional().openapi({
    description: 'The W3C trace context of the publisher, for all events of the request; ignored if it is malformed',
    maxLength: 16_384,
    example: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  }),
}

export const publishedEvent = z
  .object({ object: z.literal('event'), id: id('event'), type: z.string() })
  .openapi('PublishedEvent')

const deliveryCounts = z
  .object({ pending: count, held: count, completed: count, failed: count })
  .openapi('DeliveryCounts', {
    description: 'Its deliveries by status: the retained ones, and those that are known to be delivered',
  })

export const eventSummary = z
  .object({
    id: id('event'),
    type: z.string(),
    createdAt: time,
    traceId,
    deliveries: deliveryCounts,
    ...workspaceShown,
  })
  .openapi('EventSummary')

export const eventDetail = z
  .object({
    id: id('event'),
    type: z.string(),
    createdAt: time,
    traceId,
    channels: z.array(z.string()).nullable().openapi({ description: 'null: the server did not record the event' }),
    payload: z
      .unknown()
      // zod documents `unknown` as required only if it refuses undefined.
      .refine((payload) => payload !== undefined)
      .openapi({
        description:
          'The body of each delivery: `type`, `timestamp` and `data`, or a raw body as its text; null: no longer stored',
      }),
    contentType: z.string().nullable().openapi({ description: 'That of a raw body; null: `payload` is the envelope' }),
    eventVersion: z.string().nullable().openapi({
      description: 'The version of `payload`, the newest when it was published; null: it has none, or was not recorded',
    }),
    counts: deliveryCounts,
    deliveries: z.array(deliverySchema).openapi({ description: 'The first 1,000 retained deliveries' }),
    complete: z.literal(false).optional().openapi({ description: 'There are more: list deliveries by `eventId`' }),
    ...workspaceShown,
  })
  .openapi('Event')
