import { z } from '@hono/zod-openapi'
import type { Endpoint } from '../endpoints/endpoint.ts'
import { EngineError } from '../errors.ts'

/** The sentence in the descriptions of routes that take the header. */
export const IF_MATCH = 'With `If-Match: "<version>"` a change of any other version is refused with 412.'

export const ifMatch = z.object({
  'If-Match': z
    .string()
    .max(200)
    .optional()
    .openapi({ description: 'The `ETag` of an earlier answer, or `*`', example: '"3"' }),
})

/** An endpoint's version as the entity tag of its representation (RFC 9110, 8.8.3). */
export function etagOf({ version }: Pick<Endpoint, 'version'>): string {
  return `"${version}"`
}

/**
 * The version in an `If-Match`; undefined for any.
 *
 * @throws {EngineError} `invalid_request` for any other text, which could never match
 */
export function readIfMatch(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined
  const version = /^"([1-9]\d{0,9})"$/.exec(header.trim())?.[1]
  if (version !== undefined) return Number(version)
  throw new EngineError('invalid_request', 'If-Match must be one ETag of this endpoint, such as "3", or *')
}
