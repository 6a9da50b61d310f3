import type { z } from '@hono/zod-openapi'
import type { apiKeySchema } from './api-key-schema.ts'
import type { auditSchema } from './audit-schema.ts'
import type { endpointProblemSchema } from './endpoint-problem-schema.ts'
import type { attemptSchema, deliverySchema, endpointSchema } from './schemas.ts'
import type { workspaceSchema } from './workspace-schema.ts'
import type { publicKeySchema, secretSchema } from './secret-schemas.ts'
import type { replaySchema } from './replay-schemas.ts'
import type { erasureSchema } from './erasure-schemas.ts'
import type { bucketSchema, endpointStatisticsSchema } from './statistics-schemas.ts'

// Examples in the OpenAPI document. test/document.test.ts checks each against its schema.

export const EVENT_ID = 'evt_019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071'
const ENDPOINT_ID = 'ep_019ab2c4-0a1b-7c2d-8e3f-405162738495'
const DELIVERY_ID = `${EVENT_ID}.${ENDPOINT_ID}`

export const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const CREATED_AT = '2026-11-23T12:00:00.000Z'

export const event = { type: 'message.created', data: { id: 'm1', text: 'hello' } }

export const endpoint = {
  id: ENDPOINT_ID,
  uid: 'crm-4711',
  url: 'https://hooks.example.com/keepsend',
  description: 'orders',
  metadata: { plan: 'pro' },
  status: 'enabled',
  disabledReason: null,
  disabledAt: null,
  version: 1,
  eventTypes: ['message.*'],
  channels: [],
  retrySchedule: null,
  deadlineMs: null,
  headerNames: ['x-tenant'],
  retryStatuses: [],
  signatures: ['v1'],
  compatHeader: null,
  compatFormat: 'timestamped',
  eventTypeHeader: null,
  filter: { 'data.channel': { $in: ['general'] } },
  eventVersion: null,
  concurrency: null,
  rateLimit: 10,
  ratePeriod: 'second',
  auth: { type: 'bearer' },
  tls: null,
  circuit: 'closed',
  pausedUntil: null,
  failingSince: null,
  createdAt: CREATED_AT,
  updatedAt: CREATED_AT,
} satisfies z.infer<typeof endpointSchema>

export const delivery = {
  id: DELIVERY_ID,
  eventId: EVENT_ID,
  endpointId: ENDPOINT_ID,
  type: event.type,
  status: 'failed',
  holdReason: null,
  heldAt: null,
  eventVersion: null,
  attempts: 10,
  maxAttempts: 10,
  dueAt: null,
  createdAt: CREATED_AT,
  deliverAt: null,
  expiresAt: null,
  completedAt: '2026-11-26T15:35:00.000Z',
  lastError: 'HTTP 500: out of memory',
  lastStatus: 500,
  errorClass: 'http_5xx',
  explanation: 'The receiver failed while it processed the request. Check the log of the receiver.',
} satisfies z.infer<typeof deliverySchema>

export const attempt = {
  id: 'att_7352116838400000',
  deliveryId: DELIVERY_ID,
  eventId: EVENT_ID,
  endpointId: ENDPOINT_ID,
  type: event.type,
  number: 10,
  reason: 'retry',
  outcome: 'failed',
  startedAt: '2026-11-26T15:34:59.912Z',
  queueMs: null,
  dnsMs: 1.1,
  connectMs: 12.4,
  tlsMs: 7.9,
  firstByteMs: 87.1,
  totalMs: 88.2,
  httpStatus: 500,
  errorClass: 'http_5xx',
  error: 'HTTP 500: out of memory',
  explanation: 'The receiver failed while it processed the request. Check the log of the receiver.',
  url: 'https://example.com/webhooks',
  headers: { 'content-type': 'text/plain' },
  body: 'out of memory',
} satisfies z.infer<typeof attemptSchema>

export const endpointProblem = {
  id: `prb_${ENDPOINT_ID}.http_5xx.500`,
  endpointId: ENDPOINT_ID,
  errorClass: 'http_5xx',
  httpStatus: 500,
  explanation: attempt.explanation,
  state: 'open',
  stateSince: '2026-11-26T15:34:59.912Z',
  acknowledgedBy: null,
  opened: 1,
  firstSeenAt: '2026-11-26T15:34:59.912Z',
  lastSeenAt: '2026-11-26T16:02:10.044Z',
  attempts: 214,
  deliveries: 31,
  lastError: attempt.error,
  lastDeliveryId: DELIVERY_ID,
} satisfies z.infer<typeof endpointProblemSchema>

export const auditEntry = {
  id: 'aud_019ac2d4-1b2c-7d3e-8f40-516273849506',
  at: '2026-11-26T16:05:31.020Z',
  by: 'key_019ab1c2-3d4e-7f50-8a6b-7c8d9e0f1a2b',
  verb: 'delivery.retry_now',
  endpointId: ENDPOINT_ID,
  deliveryId: DELIVERY_ID,
  problemId: null,
  replayId: null,
  erasureId: null,
  apiKeyId: null,
  newApiKeyId: null,
  portalLinkId: null,
} satisfies z.infer<typeof auditSchema>

export const replay = {
  id: 'rep_019ab2c9-1f2a-7b3c-8d4e-5f60718293a4',
  what: 'failed',
  endpointId: ENDPOINT_ID,
  filter: { since: CREATED_AT },
  rate: null,
  state: 'running',
  reason: null,
  planned: 2318,
  plannedMore: false,
  reachesBackTo: CREATED_AT,
  until: '2026-11-26T16:02:10.044Z',
  sent: 1402,
  skipped: { onItsWay: 6, noLongerStored: 0, changed: 0 },
  createdAt: '2026-11-26T16:02:10.044Z',
  endedAt: null,
} satisfies z.infer<typeof replaySchema>

export const erasure = {
  id: 'era_019ab2c9-1f2a-7b3c-8d4e-5f60718293a4',
  what: 'event',
  eventId: EVENT_ID,
  endpointId: null,
  since: null,
  until: null,
  planned: 3,
  unsettled: 1,
  plannedMore: false,
  dropped: 1,
  deliveries: 3,
  attempts: 5,
  events: 1,
  answers: 1,
  state: 'running',
  reason: 'late_transactions',
  createdAt: '2026-11-26T16:02:10.044Z',
  endedAt: null,
  guardsUntil: '2026-12-26T16:02:10.044Z',
} satisfies z.infer<typeof erasureSchema>

export const secret = {
  scheme: 'v1',
  version: 1,
  secret: 'whsec_ZXhhbXBsZSBleGFtcGxlIGV4YW1wbGUgZXhhbXBsZQ==',
  createdAt: CREATED_AT,
  expiresAt: null,
} satisfies z.infer<typeof secretSchema>

export const publicKey = {
  version: 1,
  publicKey: 'whpk_ZXhhbXBsZSBleGFtcGxlIGV4YW1wbGUgZXhhbXBsZSE=',
  createdAt: CREATED_AT,
  expiresAt: null,
} satisfies z.infer<typeof publicKeySchema>

export const apiKey = {
  id: 'key_019ab2c4-1b2c-7d3e-8f40-516273849506',
  name: 'backend',
  scopes: ['events:write', 'deliveries:read'],
  createdAt: CREATED_AT,
  expiresAt: null,
  lastUsedAt: null,
} satisfies z.infer<typeof apiKeySchema>

export const workspace = { id: 'w1', endpoints: { enabled: 2, disabled: 1 } } satisfies z.infer<typeof workspaceSchema>

export const CURSOR = btoa(EVENT_ID)

const counts = { delivered: 1180, retried: 14, deferred: 2, failed: 1, replayed: 30, tested: 0 }

export const bucket = {
  at: '2026-11-23T12:00:00.000Z',
  ...counts,
  p50Ms: 48.2,
  p95Ms: 131.7,
  p99Ms: 912.4,
} satisfies z.infer<typeof bucketSchema>

export const endpointStatistics = {
  endpointId: ENDPOINT_ID,
  ...counts,
  p50Ms: 48.2,
  p95Ms: 131.7,
  p99Ms: 912.4,
  buckets: [{ at: '2026-11-23T12:00:00.000Z', ...counts }],
  lastError: {
    at: '2026-11-23T12:41:07.214Z',
    outcome: 'failed',
    httpStatus: 500,
    errorClass: 'http_5xx',
    error: 'HTTP 500: out of memory',
  },
} satisfies z.infer<typeof endpointStatisticsSchema>
