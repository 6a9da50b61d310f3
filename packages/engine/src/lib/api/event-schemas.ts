import { z } from '@hono/zod-openapi'
import * as bounded from './bounded.ts'
import { count, deliverySchema, id, time } from './schemas.ts'

export const eventInput = z
  .strictObject({
    object: z.literal('event').optional().openapi({ description: 'That it is one event' }),
    type: bounded.name.openapi({
      description: 'Up to 16 names joined by dots; those that begin with `keepsend.` are Keepsend’s own',
    }),
    data: z
      .record(z.string(), z.unknown())
      .optional()
      .openapi({ description: 'Sent as it is, in `{ type, timestamp, data }`; nested 64 deep at most' }),
    raw: z.strictObject({ body: bounded.rawBody, contentType: bounded.contentType }).optional().openapi({
      description: 'Instead of `data`: a body that is sent byte for byte, in UTF-8, with its own `content-type`',
    }),
    channels: bounded.channels.optional().openapi({
      description: 'Sent only to endpoints that listen to one of them, or to all; to all endpoints when left out',
    }),
    id: bounded.eventId.optional().openapi({
      description: '`evt_` and a lower-case UUIDv7; made here when left out',
    }),
    timestamp: bounded.isoTime.optional().openapi({ description: 'When it happened; now when left out' }),
  })
  .refine(({ data, raw }) => (data === undefined) !== (raw === undefined), {
    path: ['data'],
    message: 'an event has either data or raw',
  })
  // Without `object` it is read as one event too, which a discriminator cannot say.
  .openapi('EventInput', { required: ['object', 'type'] })

export const publishedEvent = z
  .object({ object: z.literal('event'), id: id('event'), type: z.string() })
  .openapi('PublishedEvent')

export const eventSummary = z
  .object({
    id: id('event'),
    type: z.string(),
    createdAt: time,
    deliveries: z
      .object({ pending: count, held: count, completed: count, failed: count })
      .openapi('DeliveryCounts', { description: 'Its retained deliveries by status' }),
  })
  .openapi('EventSummary')

export const eventDetail = z
  .object({
    id: id('event'),
    type: z.string(),
    createdAt: time,
    payload: z
      .unknown()
      // Only what takes no `undefined` is documented as always there.
      .refine((payload) => payload !== undefined)
      .openapi({ description: 'What each delivery sends: `type`, `timestamp` and `data`, or a raw body as its text' }),
    contentType: z.string().nullable().openapi({ description: 'Of a raw body; null: `payload` is the envelope' }),
    deliveries: z.array(deliverySchema).openapi({ description: 'The first 1,000 of them' }),
    complete: z.literal(false).optional().openapi({ description: 'There are more: list deliveries by the eventId' }),
  })
  .openapi('Event')
