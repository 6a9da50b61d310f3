import { iso } from './iso.ts'
import { z } from '@hono/zod-openapi'
import { eventIdOf } from '@keepsend/outbox'
import type { ShownDelivery } from '../delivery-columns.ts'
import type { Endpoint } from '../endpoint.ts'
import { ERROR_CLASS_NAMES, classOf, explanationOf } from '../error-classes.ts'
import { EngineError } from '../errors.ts'
import { RATE_PERIODS } from '../rate.ts'
import * as bounded from './bounded.ts'

const time = z.iso.datetime().openapi({ example: '2026-11-23T12:00:00.000Z' })

export const problemSchema = z
  .object({ type: z.string(), title: z.string(), status: z.int(), detail: z.string(), code: z.string() })
  .openapi('Problem', { description: 'RFC 9457 problem details; `code` is stable' })

export const eventInput = z
  .strictObject({
    type: bounded.name.openapi({ example: 'message.created' }),
    data: z.record(z.string(), z.unknown()).openapi({ example: { id: 'm1', text: 'hello' } }),
    channels: bounded.channels.optional(),
    id: bounded.id.optional().openapi({ description: 'evt_ and a lower-case UUIDv7; made here when left out' }),
    timestamp: bounded.isoTime.optional().openapi({ description: 'when it happened; now when left out' }),
  })
  .openapi('EventInput')

export const publishedEvent = z.object({ id: z.string(), type: z.string() }).openapi('PublishedEvent')

export const deliverySchema = z
  .object({
    id: z.string(),
    eventId: z.string(),
    endpointId: z.string().nullable(),
    type: z.string(),
    status: z.enum(['pending', 'completed', 'failed', 'held']),
    holdReason: z.string().nullable(),
    heldAt: time.nullable(),
    attempts: z.int(),
    maxAttempts: z.int(),
    dueAt: time.nullable(),
    createdAt: time,
    completedAt: time.nullable(),
    lastError: z.string().nullable(),
    lastStatus: z.int().nullable(),
    errorClass: z.enum(ERROR_CLASS_NAMES).nullable().openapi({ description: 'of `lastError`' }),
    explanation: z.string().nullable().openapi({ description: 'what happened, and what most likely mends it' }),
  })
  .openapi('Delivery')

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
    payload: z.unknown(),
    deliveries: z.array(deliverySchema).openapi({ description: 'the first 1,000 of them' }),
    complete: z.literal(false).optional().openapi({ description: 'there are more: list deliveries by the eventId' }),
  })
  .openapi('Event')

const endpointFields = {
  url: bounded.url.openapi({ example: 'https://example.com/hooks' }),
  description: bounded.description.optional(),
  eventTypes: bounded.eventTypePatterns.optional().openapi({ example: ['message.*'] }),
  channels: bounded.channelPatterns.optional(),
  retrySchedule: bounded.waits.nullable().optional().openapi({ description: 'waits between attempts, in seconds' }),
  deadlineMs: z.int().nullable().optional(),
  headers: bounded.headers.optional().openapi({ description: 'sent with every attempt; never shown again' }),
  retryStatuses: bounded.retryStatuses
    .optional()
    .openapi({ description: 'statuses from 400 to 499 that are tried again' }),
  signatures: z
    .array(z.enum(['v1', 'v1a']))
    .max(2)
    .optional()
    .openapi({ description: 'v1: HMAC under a shared secret; v1a: ed25519, with a public key' }),
  compatSignature: z
    .strictObject({ header: bounded.headerName, secret: bounded.secret.optional() })
    .nullable()
    .optional()
    .openapi({ description: 'a header `t=…,v1=…` besides, for receivers that know no other' }),
  concurrency: z
    .int()
    .min(1)
    .max(1000)
    .nullable()
    .optional()
    .openapi({ description: 'attempts at once from one process' }),
  rateLimit: z
    .int()
    .min(1)
    .max(10_000)
    .nullable()
    .optional()
    .openapi({ description: 'attempts per `ratePeriod`, from all processes together' }),
  ratePeriod: z.enum(RATE_PERIODS).optional().openapi({ description: 'second unless said otherwise' }),
}

export const endpointInput = z
  .strictObject({
    ...endpointFields,
    secret: bounded.secret.optional().openapi({ description: 'whsec_ or whsk_, and base64' }),
  })
  .openapi('EndpointInput')

export const endpointChange = z
  .strictObject({ ...endpointFields, url: endpointFields.url.optional() })
  .openapi('EndpointChange')

export const endpointSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    description: z.string(),
    status: z.enum(['enabled', 'disabled']),
    disabledReason: z.string().nullable(),
    disabledAt: time.nullable().openapi({ description: 'new deliveries are held from here on' }),
    version: z.int(),
    eventTypes: z.array(z.string()),
    channels: z.array(z.string()),
    retrySchedule: z.array(z.int()).nullable(),
    deadlineMs: z.int().nullable(),
    headerNames: z.array(z.string()),
    retryStatuses: z.array(z.int()),
    signatures: z.array(z.enum(['v1', 'v1a'])),
    compatHeader: z.string().nullable(),
    concurrency: z.int().nullable(),
    rateLimit: z.int().nullable(),
    ratePeriod: z.enum(RATE_PERIODS),
    circuit: z
      .enum(['closed', 'open'])
      .openapi({ description: 'open: deliveries are held, and one at a time is tried' }),
    pausedUntil: time.nullable().openapi({
      description:
        'no attempt begins before: a person paused it, or its receiver answered 429 or 503 with `Retry-After`',
    }),
    failingSince: time.nullable().openapi({ description: 'the first failure since the last success' }),
    unreadable: z.array(z.string()).optional().openapi({ description: 'broken by hand, to be set again' }),
    createdAt: time,
    updatedAt: time,
  })
  .openapi('Endpoint')

export const scheme = z.enum(['v1', 'v1a', 'compat'])

export const replayInput = z
  .strictObject({
    status: z.enum(['failed', 'completed']).optional().openapi({ description: 'failed unless said otherwise' }),
    settledAfter: bounded.isoTime.optional(),
    settledBefore: bounded.isoTime.optional(),
  })
  .openapi('ReplayInput')

export const secretSchema = z
  .object({ scheme, version: z.int(), secret: z.string(), createdAt: time, expiresAt: time.nullable() })
  .openapi('EndpointSecret')

export const publicKeySchema = z
  .object({ version: z.int(), publicKey: z.string(), createdAt: time, expiresAt: time.nullable() })
  .openapi('EndpointPublicKey')

export const idParam = z.object({ id: bounded.id })

/** Page parameters of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(250).default(50),
  cursor: z.string().max(200).optional(),
}

/** A page: `cursor` asks for the next one, if any; `complete` is false when the look ended before the page was full. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), cursor: z.string().optional(), complete: z.literal(false).optional() })
}

/** The rows of a page and its cursor, from one row more than the page shows. */
export function toPage<T extends { id: string }>(
  rows: readonly T[],
  limit: number,
): { rows: readonly T[]; cursor?: string } {
  if (rows.length <= limit) return { rows }
  const shown = rows.slice(0, limit)
  return { rows: shown, cursor: btoa(shown.at(-1)?.id ?? '') }
}

/**
 * The id in a cursor of a list whose ids begin so. It only says where to go on: the workspace is the credential's,
 * whatever stands in it.
 */
export function readCursor(cursor: string | undefined, prefix: 'evt_' | 'ep_'): string | undefined {
  if (cursor === undefined) return undefined
  try {
    const id = atob(cursor)
    if (id.startsWith(prefix) && /^[\w.-]{1,140}$/.test(id)) return id
  } catch {
    // Not base64: refused below, like any other text that is no cursor.
  }
  throw new EngineError('invalid_request', 'cursor must be the cursor of an earlier answer of this list')
}

export function toDelivery(row: ShownDelivery): z.infer<typeof deliverySchema> {
  const { id, endpointId, type, status, holdReason, attempts, maxAttempts, dueAt, lastError, lastStatus } = row
  return {
    id,
    eventId: eventIdOf(id),
    endpointId: endpointId === '' ? null : endpointId,
    type,
    status,
    holdReason,
    heldAt: row.heldAt === null ? null : iso(row.heldAt),
    attempts,
    maxAttempts,
    dueAt: dueAt === null ? null : iso(dueAt),
    createdAt: iso(row.createdAt),
    completedAt: row.completedAt === null ? null : iso(row.completedAt),
    lastError,
    lastStatus,
    errorClass: classOf(lastError, lastStatus),
    explanation: explanationOf(lastError, lastStatus),
  }
}

export function showEndpoint({
  workspaceId: _,
  createdAt,
  updatedAt,
  failingSince,
  pausedUntil,
  disabledAt,
  ...endpoint
}: Endpoint): z.infer<typeof endpointSchema> {
  return {
    ...endpoint,
    pausedUntil: pausedUntil === null ? null : iso(pausedUntil),
    disabledAt: disabledAt === null ? null : iso(disabledAt),
    failingSince: failingSince === null ? null : iso(failingSince),
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
  }
}
