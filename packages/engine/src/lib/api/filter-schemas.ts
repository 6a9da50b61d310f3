import { z } from '@hono/zod-openapi'
import { type FilterValue, MAX_FILTER_BYTES, MAX_LEVELS, MAX_OPERATORS } from '../filters/content-filter.ts'

// The engine reads its inside.
const filter = z.record(
  z.string(),
  z.custom<FilterValue>().openapi({ type: ['object', 'array', 'string', 'number', 'boolean', 'null'] }),
)

/** The filter of an endpoint, as a client sets it. The engine validates its inside, with better messages. */
export const filterInput = {
  filter: filter
    .nullable()
    .optional()
    .openapi({
      description:
        'Only events whose body matches are sent: `{ "data.channel": { "$in": ["general"] } }`. Operators: `$eq`, `$neq`, `$gt`, ' +
        '`$gte`, `$lt`, `$lte`, `$in`, `$nin`, `$startsWith`, `$endsWith`, `$exist`, `$and`, `$or`, `$not`; at most ' +
        `${MAX_OPERATORS} of them, ${MAX_LEVELS} levels and ${MAX_FILTER_BYTES} bytes. null or \`{}\`: all events`,
    }),
}

export const filterShown = { filter: filter.nullable().openapi({ description: 'null: none' }) }
