import { z } from '@hono/zod-openapi'
import { COMPAT_FORMATS } from '../signing/compat-signature.ts'
import { contentInput, contentShown, payloadVersion } from './content-schemas.ts'
import { READABLE } from '../endpoints/endpoint-columns.ts'
import { DISABLED_REASONS } from '../endpoints/endpoint.ts'
import { ERROR_CLASS_NAMES } from '../error-classes.ts'
import { DELIVERY_STATUSES } from '../deliveries/delivery-filter.ts'
import { ATTEMPT_OUTCOMES, ATTEMPT_REASONS } from '../history/attempt-end.ts'
import { HOLD_REASONS } from '../backlog/hold-reason.ts'
import type { HoldReason } from '../outcome.ts'
import { RATE_PERIODS } from '../backlog/rate-limit.ts'
import * as bounded from './bounded.ts'
import { credentialsInput, credentialsShown } from './credentials.ts'
import { workspaceShown } from './workspace-scope.ts'

export const time = z.iso.datetime()
export const id = (what: string) => z.string().openapi({ description: `The id of the ${what}` })
export const count = z.int().openapi({ minimum: 0 })
export const milliseconds = z.number().openapi({ minimum: 0 })

export const deliverySchema = z
  .object({
    id: id('delivery'),
    eventId: id('event'),
    endpointId: z.string().nullable().openapi({ description: 'null for a row that was not published by this engine' }),
    type: z.string().openapi({ description: 'The type of the event' }),
    status: z.enum(DELIVERY_STATUSES),
    holdReason: z
      .enum(Object.keys(HOLD_REASONS) as HoldReason[])
      .nullable()
      .openapi({ description: 'Why it is held; null: it is not held' }),
    heldAt: time.nullable().openapi({ description: 'Held since then' }),
    eventVersion: payloadVersion,
    attempts: count.openapi({ description: 'Attempts that count' }),
    maxAttempts: count,
    dueAt: time.nullable().openapi({ description: 'When the next attempt is due; null: no time is set' }),
    createdAt: time,
    deliverAt: time.nullable().openapi({ description: 'No attempt begins before; null: none is set' }),
    expiresAt: time.nullable().openapi({ description: 'It fails as `expired` from then on; null: none is set' }),
    completedAt: time.nullable().openapi({ description: 'When it was completed or failed' }),
    lastError: z.string().nullable().openapi({ description: 'The error of the last attempt' }),
    lastStatus: z.int().nullable().openapi({ description: 'The last HTTP status of the receiver' }),
    errorClass: z.enum(ERROR_CLASS_NAMES).nullable().openapi({ description: 'The class of `lastError`' }),
    explanation: z.string().nullable().openapi({ description: 'What happened, and the most likely fix' }),
    ...workspaceShown,
  })
  .openapi('Delivery')

export const attemptSchema = z
  .object({
    id: id('attempt'),
    deliveryId: id('delivery'),
    eventId: id('event'),
    endpointId: z.string(),
    type: z.string().openapi({ description: 'The type of the event' }),
    number: z.int().openapi({ description: '1 for the first attempt of the delivery', minimum: 1 }),
    reason: z.enum(ATTEMPT_REASONS).openapi({
      description: '`retry`: after a failed attempt; `replay` and `test`: also for their later attempts',
    }),
    outcome: z.enum(ATTEMPT_OUTCOMES).openapi({
      description:
        '`retry`: it failed and another follows; `deferred`: it does not count, because the receiver asked for a wait or ' +
        'nothing could be sent; `failed`: the delivery has failed with it; `superseded`: its worker had lost the lease, ' +
        'and another one owns the delivery',
    }),
    startedAt: time,
    queueMs: milliseconds
      .nullable()
      .openapi({ description: 'From the event to its first attempt; null for later ones' }),
    dnsMs: milliseconds
      .nullable()
      .openapi({ description: 'The look-up of the name; null: the connection was open, or not known' }),
    connectMs: milliseconds.nullable().openapi({ description: 'Until there was a connection; null: not known' }),
    tlsMs: milliseconds
      .nullable()
      .openapi({ description: 'The TLS handshake; null: the connection was open, or not known' }),
    firstByteMs: milliseconds
      .nullable()
      .openapi({ description: 'Until the head of the response; null: there was none' }),
    totalMs: milliseconds,
    httpStatus: z.int().nullable(),
    errorClass: z.enum(ERROR_CLASS_NAMES).nullable(),
    error: z.string().nullable(),
    explanation: z.string().nullable().openapi({ description: 'What happened, and the most likely fix' }),
    url: z.string().openapi({ description: 'Where it was sent, without the query; empty if the URL was refused' }),
    headers: z
      .record(z.string(), z.string())
      .nullable()
      .openapi({ description: 'Headers of the response, without credentials; null: not recorded' }),
    body: z
      .string()
      .nullable()
      .openapi({ description: 'The beginning of the body of the response; null: not recorded' }),
    ...workspaceShown,
  })
  .openapi('Attempt')

const endpointFields = {
  url: bounded.url.openapi({ description: 'https and a public address, unless the server allows others' }),
  description: bounded.description.optional(),
  metadata: bounded.metadata.optional().openapi({
    description: 'Texts of your own, shown and never sent, under keys of at most 40 characters in the form of a `uid`',
  }),
  eventTypes: bounded.eventTypePatterns.optional().openapi({
    description:
      'Subscriptions: a type, all types with a prefix (`message.*`), or `*`, the default, which does not match the types `keepsend.…` of operational webhooks',
  }),
  channels: bounded.channelPatterns
    .optional()
    .openapi({ description: 'Channels it listens to; empty: all events, with channels or without' }),
  retrySchedule: bounded.waits
    .nullable()
    .optional()
    .openapi({ description: 'Waits between attempts, in seconds; null: the default of the server' }),
  deadlineMs: bounded
    .whole(1000, 30_000)
    .nullable()
    .optional()
    .openapi({ description: 'Bound on one attempt; null: the default of the server' }),
  headers: bounded.headers
    .optional()
    .openapi({ description: 'Sent with every attempt; never shown again', writeOnly: true }),
  retryStatuses: bounded.retryStatuses
    .optional()
    .openapi({ description: 'Statuses from 400 to 499 to retry, in addition to 408, 421, 425 and 429' }),
  signatures: z
    .array(z.enum(['v1', 'v1a']))
    .max(2)
    .optional()
    .openapi({
      description: '`v1`: HMAC under a shared secret, the default; `v1a`: ed25519, with a public key',
      minItems: 1,
      uniqueItems: true,
    }),
  compatSignature: z
    .strictObject({
      header: bounded.headerName.openapi({ description: 'The name of the header', minLength: 1 }),
      format: z
        .enum(COMPAT_FORMATS)
        .optional()
        .openapi({ description: '`timestamped`, the default: `t=…,v1=…`; `sha256`: `sha256=…`' }),
      secret: bounded.secret.optional().openapi({
        description: 'Visible ASCII; default: a new one',
        minLength: 16,
        writeOnly: true,
      }),
    })
    .nullable()
    .optional()
    .openapi({ description: 'A signature in an older form too, for receivers that support no other; null removes it' }),
  eventTypeHeader: bounded.headerName
    .nullable()
    .optional()
    .openapi({ description: 'A header whose value is the type of the event; null: none', minLength: 1 }),
  concurrency: z
    .int()
    .min(1)
    .max(1000)
    .nullable()
    .optional()
    .openapi({ description: 'Concurrent attempts from one process; null: the default of the server' }),
  rateLimit: z
    .int()
    .min(1)
    .max(10_000)
    .nullable()
    .optional()
    .openapi({ description: 'Attempts per `ratePeriod`, from all processes together; null: no limit' }),
  ratePeriod: z.enum(RATE_PERIODS).optional().openapi({ description: 'Default: `second`' }),
  ...contentInput,
  ...credentialsInput,
}

const uid = bounded.uid.nullable().optional().openapi({
  description: 'Your own id of the endpoint, unique in the workspace; null: none',
})

export const endpointInput = z
  .strictObject({
    ...endpointFields,
    uid,
    secret: bounded.secret.optional().openapi({
      description: 'An existing secret: `whsec_` for `v1` or `whsk_` for `v1a`, and base64; default: a new one',
      writeOnly: true,
    }),
  })
  .openapi('EndpointInput')

export const endpointChange = z
  .strictObject({ ...endpointFields, url: endpointFields.url.optional(), uid })
  .openapi('EndpointChange', { description: 'A property that is left out stays as it is' })

export const endpointByUid = z
  .strictObject(endpointFields)
  .openapi('EndpointByUid', { description: 'Of an endpoint that exists, a property that is left out stays as it is' })

export const endpointSchema = z
  .object({
    id: id('endpoint'),
    uid: z.string().nullable().openapi({ description: 'Your own id of the endpoint' }),
    url: z.string(),
    description: z.string(),
    metadata: z.record(z.string(), z.string()).openapi({ description: 'Texts of your own' }),
    status: z.enum(['enabled', 'disabled']),
    disabledReason: z
      .enum(DISABLED_REASONS)
      .nullable()
      .openapi({
        description:
          '`manual`: by a person; `failing`: it failed for too long; `gone`: it answered 410; `receiver_requested`: it answered ' +
          'with `webhook-delivery: disable`',
      }),
    disabledAt: time.nullable().openapi({ description: 'Disabled since then; new deliveries are held' }),
    version: z.int().openapi({ description: 'Raised by each change; the `ETag` contains it', minimum: 1 }),
    eventTypes: z.array(z.string()),
    channels: z.array(z.string()),
    retrySchedule: z.array(z.int()).nullable().openapi({ description: 'Seconds; null: the default of the server' }),
    deadlineMs: z.int().nullable(),
    headerNames: z.array(z.string()).openapi({ description: 'The names of `headers`, in lower case' }),
    retryStatuses: z.array(z.int()),
    signatures: z.array(z.enum(['v1', 'v1a'])),
    compatHeader: z.string().nullable().openapi({ description: 'The header of `compatSignature`, in lower case' }),
    compatFormat: z.enum(COMPAT_FORMATS).openapi({ description: 'The form of that signature' }),
    eventTypeHeader: z.string().nullable().openapi({ description: 'In lower case' }),
    concurrency: z.int().nullable(),
    rateLimit: z.int().nullable(),
    ratePeriod: z.enum(RATE_PERIODS),
    ...contentShown,
    ...credentialsShown,
    circuit: z
      .enum(['closed', 'open'])
      .openapi({ description: '`open`: deliveries are held, and one at a time is tried' }),
    pausedUntil: time.nullable().openapi({
      description:
        'No attempt begins before this time: a person paused it, or its receiver answered 429 or 503 with `Retry-After`',
    }),
    failingSince: time.nullable().openapi({ description: 'The first failure since the last success' }),
    unreadable: z
      .array(z.string().openapi({ enum: [...READABLE] }))
      .optional()
      .openapi({ description: 'Properties whose stored value is broken: set them again' }),
    createdAt: time,
    updatedAt: time,
  })
  .openapi('Endpoint')

export const idParam = z.object({ id: bounded.id.openapi({ description: 'An `id` from an earlier answer' }) })
export const uidParam = z.object({ uid: bounded.uid.openapi({ description: 'Your own id of the endpoint' }) })
