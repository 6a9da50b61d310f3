import { z } from '@hono/zod-openapi'
import { type FilterValue, MAX_FILTER_BYTES, MAX_LEVELS, MAX_OPERATORS } from '../filters/content-filter.ts'
import * as bounded from './bounded.ts'

// The engine reads its inside.
const filter = z.record(
  z.string(),
  z.custom<FilterValue>().openapi({ type: ['object', 'array', 'string', 'number', 'boolean', 'null'] }),
)

/** The events of an endpoint and their version, as a client sets them. The engine validates the inside of the filter, with better messages. */
export const contentInput = {
  filter: filter
    .nullable()
    .optional()
    .openapi({
      description:
        'Only events whose body matches are sent: `{ "data.channel": { "$in": ["general"] } }`. Operators: `$eq`, `$neq`, `$gt`, ' +
        '`$gte`, `$lt`, `$lte`, `$in`, `$nin`, `$startsWith`, `$endsWith`, `$exist`, `$and`, `$or`, `$not`; at most ' +
        `${MAX_OPERATORS} of them, ${MAX_LEVELS} levels and ${MAX_FILTER_BYTES} bytes. null or \`{}\`: all events`,
    }),
  eventVersion: bounded.eventVersion.optional().openapi({
    description:
      'The version in which it gets events: a label of the catalog (`GET /event-types`); default: the newest when it is made',
  }),
}

export const contentShown = {
  filter: filter.nullable().openapi({ description: 'null: none' }),
  eventVersion: z.string().nullable().openapi({
    description: 'The version in which it gets events; null: it was made without one, and gets the oldest',
  }),
}

export const payloadVersion = z
  .string()
  .nullable()
  .openapi({ description: 'The version of its payload; null: it has none, or was delivered' })

export const traceId = z.string().nullable().openapi({
  description: 'From the `traceparent` of the publisher of the event; null: it gave none, or the event is not recorded',
})
