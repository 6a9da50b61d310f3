import { z } from '@hono/zod-openapi'
import * as bounded from './bounded.ts'
import { deliverySchema, time } from './schemas.ts'

export const eventInput = z
  .strictObject({
    type: bounded.name.openapi({ example: 'message.created' }),
    data: z
      .record(z.string(), z.unknown())
      .optional()
      .openapi({ description: 'sent as `{ type, timestamp, data }`', example: { id: 'm1', text: 'hello' } }),
    raw: z
      .strictObject({ body: bounded.rawBody, contentType: bounded.contentType })
      .optional()
      .openapi({
        description: 'instead of `data`: a body that is sent byte for byte, in UTF-8, with its own `content-type`',
        example: { body: '<message id="m1"/>', contentType: 'application/xml' },
      }),
    channels: bounded.channels.optional(),
    id: bounded.id.optional().openapi({ description: 'evt_ and a lower-case UUIDv7; made here when left out' }),
    timestamp: bounded.isoTime.optional().openapi({ description: 'when it happened; now when left out' }),
  })
  .refine(({ data, raw }) => (data === undefined) !== (raw === undefined), {
    path: ['data'],
    message: 'an event has either data or raw',
  })
  .openapi('EventInput')

export const publishedEvent = z.object({ id: z.string(), type: z.string() }).openapi('PublishedEvent')

export const eventSummary = z
  .object({
    id: z.string(),
    type: z.string(),
    createdAt: time,
    deliveries: z.object({ pending: z.int(), held: z.int(), completed: z.int(), failed: z.int() }),
  })
  .openapi('EventSummary')

export const eventDetail = z
  .object({
    id: z.string(),
    type: z.string(),
    createdAt: time,
    payload: z.unknown().openapi({ description: 'what is sent: the parsed envelope, or a raw body as its text' }),
    contentType: z.string().nullable().openapi({ description: 'of a raw body; null: `payload` is our envelope' }),
    deliveries: z.array(deliverySchema).openapi({ description: 'the first 1,000 of them' }),
    complete: z.literal(false).optional().openapi({ description: 'there are more: list deliveries by the eventId' }),
  })
  .openapi('Event')
