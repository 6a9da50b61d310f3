import { z } from '@hono/zod-openapi'
import { MAX_CONTENT_TYPE_LENGTH } from '@keepsend/outbox/internal'
import { LABEL, MAX_LABEL } from '../catalog/event-catalog.ts'
import { MAX_URL_LENGTH } from '../url-policy/check-url.ts'
import { MAX_HEADERS, MAX_VALUE_BYTES } from '../endpoints/custom-headers.ts'
import { MAX_METADATA, MAX_METADATA_VALUE } from '../endpoints/endpoint-metadata.ts'
import { MAX_UID, UID } from '../endpoints/endpoint-uid.ts'
import { MAX_CHANNELS, MAX_EVENT_BYTES, MAX_NAME_LENGTH, NAME } from '../publish/event.ts'
import { MAX_TIME_LENGTH, readTime } from '../formats/rfc3339.ts'
import { MAX_DESCRIPTION, MAX_EVENT_TYPES, MAX_RETRY_STATUSES, MAX_WAITS } from '../endpoints/check-endpoint.ts'

// Parts of requests. Every text and every list has a bound that is checked before its elements are; otherwise a body could
// have as many problems as bytes. The metadata (`openapi`) documents the bounds that the engine checks later, with better
// messages; test/document-bounds.test.ts compares the two.

// A text or list slightly over its bound passes here, so that the engine answers it.
const SLACK = 4

export function text(maxLength: number) {
  return z
    .string()
    .max(SLACK * maxLength)
    .openapi({ maxLength })
}

function list<T extends z.ZodType>(item: T, maxItems: number) {
  return z
    .array(item)
    .max(SLACK * maxItems)
    .openapi({ maxItems })
}

/** A whole number from `minimum` to `maximum`. */
export function whole(minimum: number, maximum: number) {
  return z.int().openapi({ minimum, maximum })
}

/** An id made by Keepsend, that of a delivery included. */
export const id = z.string().max(140)

/** Ids with commas between them. */
export const ids = z.string().max(100 * 141)

/** The id of a new event. */
export const eventId = id.openapi({
  pattern: '^evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
})

/** The name of a type or a channel. */
export const name = text(MAX_NAME_LENGTH).openapi({ pattern: NAME.source })
export const channels = list(name, MAX_CHANNELS)

/** Not validated as a name: a filter for an impossible type finds nothing. */
export const typeFilter = z.string().max(MAX_NAME_LENGTH)
export const traceIdFilter = z.string().max(32)

const pattern = text(MAX_NAME_LENGTH).openapi({ pattern: `^\\*$|${NAME.source.slice(0, -1)}(\\.\\*)?$` })
export const eventTypePatterns = list(pattern, MAX_EVENT_TYPES).openapi({ minItems: 1 })
export const channelPatterns = list(pattern, MAX_CHANNELS)

export const url = text(MAX_URL_LENGTH).openapi({ format: 'uri' })
export const description = text(MAX_DESCRIPTION)
export const waits = list(whole(1, 86_400), MAX_WAITS)
export const retryStatuses = list(whole(400, 499).openapi({ not: { const: 410 } }), MAX_RETRY_STATUSES)

/** The label of a version. */
export const eventVersion = text(MAX_LABEL).openapi({ pattern: LABEL.source })

/** As long as the longest secret, a compatibility secret. */
export const secret = text(256)
export const headerName = z.string().max(256)

export const rawBody = text(MAX_EVENT_BYTES)
export const contentType = text(MAX_CONTENT_TYPE_LENGTH)

/** An RFC 3339 time. */
export const isoTime = z
  .string()
  .superRefine((time, context) => {
    const read = readTime(time)
    if ('problem' in read) context.addIssue(read.problem)
  })
  .openapi({ format: 'date-time', maxLength: MAX_TIME_LENGTH })

/** The milliseconds of a time that the schema has validated. */
export function msOf(time: string | undefined): number | undefined {
  const read = time === undefined ? undefined : readTime(time)
  return read && 'ms' in read ? read.ms : undefined
}

/** One problem for all headers together, so that many invalid headers do not make a long error. */
export const headers = z
  .custom<Record<string, string>>(
    areFewTexts(MAX_HEADERS, MAX_VALUE_BYTES),
    `must be at most ${MAX_HEADERS} headers with texts of at most ${MAX_VALUE_BYTES} characters`,
  )
  .openapi({
    type: 'object',
    additionalProperties: { type: 'string', minLength: 1, maxLength: MAX_VALUE_BYTES },
    maxProperties: MAX_HEADERS,
  })

export const uid = text(MAX_UID).openapi({ pattern: UID.source, minLength: 1 })

export const metadata = z
  .custom<Record<string, string>>(
    areFewTexts(MAX_METADATA, MAX_METADATA_VALUE),
    `must be at most ${MAX_METADATA} texts of at most ${MAX_METADATA_VALUE} characters`,
  )
  .openapi({
    type: 'object',
    additionalProperties: { type: 'string', maxLength: MAX_METADATA_VALUE },
    maxProperties: MAX_METADATA,
  })

function areFewTexts(most: number, maxLength: number): (value: unknown) => boolean {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    const texts: unknown[] = Object.values(value)
    if (texts.length > SLACK * most) return false
    return texts.every((one) => typeof one === 'string' && one.length <= SLACK * maxLength)
  }
}
