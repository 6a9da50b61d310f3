import { z } from '@hono/zod-openapi'
import { MAX_URL_LENGTH } from '../check-url.ts'
import { MAX_HEADERS, MAX_VALUE_BYTES } from '../custom-headers.ts'
import { MAX_CHANNELS, MAX_NAME_LENGTH } from '../event.ts'
import { MAX_TIME_LENGTH, readTime } from '../rfc3339.ts'
import { MAX_DESCRIPTION, MAX_EVENT_TYPES, MAX_RETRY_STATUSES, MAX_WAITS } from '../endpoint.ts'

// Parts of requests. Every text and every list has a bound, which is looked at before its elements are: a problem for each
// of them could be as many as the body has bytes.

// What is a little too long gets the answer of the engine, which says what would do.
const SLACK = 4

function text(maxLength: number) {
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

/** An id of ours, also that of a delivery. */
export const id = z.string().max(140)

/** A type or a channel. */
export const name = text(MAX_NAME_LENGTH)
export const channels = list(name, MAX_CHANNELS)

// A name and `.*`.
const pattern = text(MAX_NAME_LENGTH + 2)
export const eventTypePatterns = list(pattern, MAX_EVENT_TYPES)
export const channelPatterns = list(pattern, MAX_CHANNELS)

export const url = text(MAX_URL_LENGTH)
export const description = text(MAX_DESCRIPTION)
export const waits = list(z.int(), MAX_WAITS)
export const retryStatuses = list(z.int(), MAX_RETRY_STATUSES)

/** The longest is a compatibility secret. */
export const secret = text(256)
export const headerName = text(256)

/** A time of RFC 3339. */
export const isoTime = z
  .string()
  .superRefine((time, context) => {
    const read = readTime(time)
    if ('problem' in read) context.addIssue(read.problem)
  })
  .openapi({ format: 'date-time', maxLength: MAX_TIME_LENGTH })

/** One problem, however many headers there are. */
export const headers = z
  .custom<Record<string, string>>(
    isFewTexts,
    `must be at most ${MAX_HEADERS} headers with texts of at most ${MAX_VALUE_BYTES} characters`,
  )
  .openapi({
    type: 'object',
    additionalProperties: { type: 'string', maxLength: MAX_VALUE_BYTES },
    maxProperties: MAX_HEADERS,
  })

function isFewTexts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const texts: unknown[] = Object.values(value)
  if (texts.length > SLACK * MAX_HEADERS) return false
  return texts.every((one) => typeof one === 'string' && one.length <= SLACK * MAX_VALUE_BYTES)
}
