import { z } from '@hono/zod-openapi'
import { EngineError } from '../errors.ts'
import type { EventSearch } from '../events/event-search.ts'
import { MAX_SEARCH_TEXT } from '../history/search-values.ts'

const text = z.string().max(MAX_SEARCH_TEXT).optional()

/** The query parameters of a search for a value in the payload. */
export const searchQuery = {
  searchPath: text.openapi({
    description:
      'A path of `history.search` on the server, such as `data.order.id`: with `searchValue` or `searchPrefix`',
  }),
  searchValue: text.openapi({ description: 'Only events with this value at the path' }),
  searchPrefix: text.openapi({
    description: 'Only events whose value begins with this: in the order of the values, the last first',
  }),
}

/** The search that a query asks for. @throws {EngineError} `invalid_request`: it has a part of one */
export function readSearch({
  searchPath: path,
  searchValue: value,
  searchPrefix: prefix,
}: Partial<Record<keyof typeof searchQuery, string | undefined>>): EventSearch | undefined {
  if (path === undefined && value === undefined && prefix === undefined) return undefined
  if (path !== undefined && (value === undefined) !== (prefix === undefined)) return { path, value, prefix }
  throw new EngineError(
    'invalid_request',
    'searchPath needs either searchValue or searchPrefix, and these need searchPath',
  )
}
