import { bigint, customType, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import type { Scope } from '../scopes.ts'
import type { ShownAuth, ShownTls } from '../credentials.ts'

// Lists and maps are stored as JSON text, the same on every database.
const jsonText = customType<{ data: unknown; driverData: string }>({
  dataType: () => 'text',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: (stored): unknown => JSON.parse(stored),
})

/** A customer's receiver. Its health (`circuit` to `windowSuccesses`) is written by settles, but not by those of a healthy endpoint. */
export const endpoints = pgTable(
  'keepsend_endpoints',
  {
    id: text('id').primaryKey().notNull(),
    workspaceId: text('workspace_id').notNull(),
    url: text('url').notNull(),
    description: text('description').notNull().default(''),
    status: text('status', { enum: ['enabled', 'disabled'] })
      .notNull()
      .default('enabled'),
    /** Why it is disabled. */
    disabledReason: text('disabled_reason'),
    /** Disabled since then; null while it is enabled. It collects deliveries for `maxAgeMs` from then on. */
    disabledAt: bigint('disabled_at', { mode: 'number' }),
    /** Raised by every change, by a person or at the receiver's request. */
    version: integer('version').notNull().default(1),
    eventTypes: jsonText('event_types').$type<string[]>().notNull(),
    channels: jsonText('channels').$type<string[]>().notNull(),
    retrySchedule: jsonText('retry_schedule').$type<number[]>(),
    maxAttempts: integer('max_attempts').notNull().default(10),
    deadlineMs: integer('deadline_ms'),
    /** Names, with each value encrypted. */
    headers: jsonText('headers').$type<Record<string, string>>().notNull(),
    retryStatuses: jsonText('retry_statuses').$type<number[]>().notNull(),
    signatures: jsonText('signatures').$type<('v1' | 'v1a')[]>().notNull(),
    compatHeader: text('compat_header'),
    compatFormat: text('compat_format', { enum: ['timestamped', 'sha256'] })
      .notNull()
      .default('timestamped'),
    eventTypeHeader: text('event_type_header'),
    concurrency: integer('concurrency'),
    rateLimit: integer('rate_limit'),
    /** The period of `rateLimit`. */
    ratePeriod: text('rate_period', { enum: ['second', 'minute', 'hour'] })
      .notNull()
      .default('second'),
    /** The slot time of the next attempt under `rateLimit`, in microseconds. */
    rateNextUs: bigint('rate_next_us', { mode: 'number' }).notNull().default(0),
    /** The number of permits that were granted last. */
    rateGranted: integer('rate_granted').notNull().default(0),
    circuit: text('circuit', { enum: ['closed', 'open'] })
      .notNull()
      .default('closed'),
    /** The one delivery that may be sent while the circuit is open. */
    probeId: text('probe_id'),
    /** The delivery that failed last when the circuit opened, or as a probe: the next probe is another one. */
    lastFailedId: text('last_failed_id'),
    /** The first failure since the last success. */
    failingSince: bigint('failing_since', { mode: 'number' }),
    /** The last warning, in percent of the way to being disabled. */
    warned: integer('warned').notNull().default(0),
    failuresInRow: integer('failures_in_row').notNull().default(0),
    timeoutsInRow: integer('timeouts_in_row').notNull().default(0),
    windowAt: bigint('window_at', { mode: 'number' }),
    windowFailures: integer('window_failures').notNull().default(0),
    windowSuccesses: integer('window_successes').notNull().default(0),
    /** No attempt begins before this time. It only moves forward. */
    pausedUntil: bigint('paused_until', { mode: 'number' }),
    /** When the receiver requested the pause; null if a person paused. */
    pauseRequestedAt: bigint('pause_requested_at', { mode: 'number' }),
    /** When held rows are resumed next; null: none is held, or a person must resume them. */
    resumeAt: bigint('resume_at', { mode: 'number' }),
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    updatedAt: bigint('updated_at', { mode: 'number' }).notNull(),
    /** The shown part; the rest is encrypted in the endpoint's secrets. Null: it has none. */
    auth: jsonText('auth').$type<ShownAuth>(),
    /** Stored as `auth` is. */
    tls: jsonText('tls').$type<ShownTls>(),
  },
  (table) => [index('keepsend_endpoints_workspace').on(table.workspaceId, table.id)],
)

/** Every (pattern, channel) that an endpoint subscribes to. */
export const subscriptions = pgTable(
  'keepsend_subscriptions',
  {
    workspaceId: text('workspace_id').notNull(),
    pattern: text('pattern').notNull(),
    channel: text('channel').notNull(),
    endpointId: text('endpoint_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.pattern, table.channel, table.endpointId] })],
)

/**
 * Signing secrets of endpoints, and the keys that encrypt their header values and credentials; without an endpoint, the pepper
 * of the API keys and the check values of the encryption keys.
 */
export const secrets = pgTable(
  'keepsend_secrets',
  {
    endpointId: text('endpoint_id').notNull(),
    scheme: text('scheme', { enum: ['v1', 'v1a', 'compat', 'headers', 'auth', 'tls', 'check', 'pepper'] }).notNull(),
    /** Counts up within the scheme. */
    version: integer('version').notNull(),
    /** Base64 under the key that `keyId` names; plaintext without one. */
    secret: text('secret').notNull(),
    keyId: text('key_id'),
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    /** When it stops signing; null: it is the current one. */
    expiresAt: bigint('expires_at', { mode: 'number' }),
    /** The data that this secret encrypts, if it is a key: `auth` or `tls` of its endpoint. */
    sealed: text('sealed'),
    /** The access token of an `oauth2` auth, encrypted under the same key. Null: none was requested, or it was refused. */
    token: text('token'),
  },
  (table) => [primaryKey({ columns: [table.endpointId, table.scheme, table.version] })],
)

/** API keys of workspaces, by a hash of the key. */
export const apiKeys = pgTable('keepsend_api_keys', {
  keyHash: text('key_hash').primaryKey().notNull(),
  id: text('id').notNull().unique(),
  workspaceId: text('workspace_id').notNull(),
  name: text('name').notNull(),
  scopes: jsonText('scopes').$type<Scope[]>().notNull(),
  createdAt: bigint('created_at', { mode: 'number' }).notNull(),
  /** Null: it does not expire. */
  expiresAt: bigint('expires_at', { mode: 'number' }),
  /** Updated at most once an hour; null: never used. */
  lastUsedAt: bigint('last_used_at', { mode: 'number' }),
})

/** The answers of requests that were committed under an `Idempotency-Key`. */
export const idempotencyRecords = pgTable(
  'keepsend_idempotency_records',
  {
    workspaceId: text('workspace_id').notNull(),
    method: text('method').notNull(),
    route: text('route').notNull(),
    keyHash: text('key_hash').notNull(),
    bodyHash: text('body_hash').notNull(),
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    /** 0: `body` is the text that a route of the API selected from its change, and the route knows the status. */
    status: integer('status').notNull(),
    body: text('body').notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.keyHash, table.method, table.route] })],
)

/** Requests in flight under an `Idempotency-Key`. Advisory: a mark authorises no commit, and it expires. */
export const idempotencyMarks = pgTable(
  'keepsend_idempotency_marks',
  {
    workspaceId: text('workspace_id').notNull(),
    method: text('method').notNull(),
    route: text('route').notNull(),
    keyHash: text('key_hash').notNull(),
    owner: text('owner').notNull(),
    expiresAt: bigint('expires_at', { mode: 'number' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.method, table.route, table.keyHash] })],
)

/** Attempts of deliveries, with `history`. The id contains the time of the settle: see `keepsend_attempts` in the migration. */
export const attempts = pgTable('keepsend_attempts', {
  id: bigint('id', { mode: 'number' }).primaryKey().notNull(),
  deliveryId: text('delivery_id').notNull(),
  /** The claim under which it was made. */
  gen: bigint('gen', { mode: 'number' }).notNull(),
  workspaceId: text('workspace_id').notNull(),
  endpointId: text('endpoint_id').notNull(),
  type: text('event_type').notNull(),
  /** 1 for the first attempt of the delivery; a deferred one has the number of the next. */
  number: integer('number').notNull(),
  /** Why it was made; `replay` and `test` also for their later attempts. */
  reason: text('reason', { enum: ['publish', 'retry', 'replay', 'test'] }).notNull(),
  startedAt: bigint('started_at', { mode: 'number' }).notNull(),
  /** Of a first attempt: from the event to the attempt. Durations are microseconds. */
  queueUs: bigint('queue_us', { mode: 'number' }),
  /** The look-up of the name; null if the connection was open. */
  dnsUs: bigint('dns_us', { mode: 'number' }),
  /** Until the request had a connection: near 0 for one that was open. */
  connectUs: bigint('connect_us', { mode: 'number' }),
  /** The TLS handshake; null if the connection was open. */
  tlsUs: bigint('tls_us', { mode: 'number' }),
  /** From the start until the head of the response. */
  firstByteUs: bigint('first_byte_us', { mode: 'number' }),
  totalUs: bigint('total_us', { mode: 'number' }).notNull(),
  outcome: text('outcome', { enum: ['delivered', 'retry', 'deferred', 'failed', 'superseded'] }).notNull(),
  httpStatus: integer('http_status'),
  errorClass: text('error_class'),
  error: text('error'),
  /** Without the query. */
  url: text('url').notNull(),
  headers: jsonText('headers').$type<Record<string, string>>(),
  /** The first bytes of the response. */
  body: text('body'),
})

/** Events, with `history.events`: see `keepsend_events` in the migration. */
export const events = pgTable(
  'keepsend_events',
  {
    id: text('id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    type: text('event_type').notNull(),
    channels: jsonText('channels').$type<string[]>().notNull(),
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    /** Rows that its first publish inserted. */
    deliveries: integer('deliveries').notNull(),
    /** Null: JSON, Keepsend's envelope. */
    contentType: text('content_type'),
    /** In `keepsend_payloads`. */
    payloadId: bigint('payload_id', { mode: 'number' }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.workspaceId] }),
    index('keepsend_events_workspace').on(table.workspaceId, table.id),
  ],
)

/** Attempts by endpoint and time, with `statistics`. An empty id stands for all endpoints, and for all workspaces. */
export const statistics = pgTable(
  'keepsend_statistics',
  {
    span: text('span', { enum: ['minute', 'hour', 'day'] }).notNull(),
    /** The beginning of the minute, hour or day (UTC), ms since the epoch. */
    at: bigint('at', { mode: 'number' }).notNull(),
    workspaceId: text('workspace_id').notNull(),
    endpointId: text('endpoint_id').notNull(),
    delivered: bigint('delivered', { mode: 'number' }).notNull(),
    retried: bigint('retried', { mode: 'number' }).notNull(),
    deferred: bigint('deferred', { mode: 'number' }).notNull(),
    failed: bigint('failed', { mode: 'number' }).notNull(),
    /** Attempts of replays and of tests, which no other column has. */
    replayed: bigint('replayed', { mode: 'number' }).notNull(),
    tested: bigint('tested', { mode: 'number' }).notNull(),
    /** Attempts by the bin of their duration. */
    sketch: jsonText('sketch').$type<Record<string, number>>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.span, table.at, table.workspaceId, table.endpointId] })],
)

/** How far each roll-up of statistics is: the last row that it added up. */
export const statisticsPasses = pgTable('keepsend_statistics_passes', {
  source: text('source', { enum: ['attempt', 'minute', 'hour'] })
    .primaryKey()
    .notNull(),
  /** An id of an attempt, or a time. */
  doneTo: bigint('done_to', { mode: 'number' }).notNull(),
  workspaceId: text('workspace_id').notNull().default(''),
  endpointId: text('endpoint_id').notNull().default(''),
})

/** Problems of endpoints, with `history`: failed attempts of one endpoint with one error class and one HTTP status. */
export const problems = pgTable(
  'keepsend_problems',
  {
    endpointId: text('endpoint_id').notNull(),
    errorClass: text('error_class').notNull(),
    /** 0: there was no answer. */
    httpStatus: integer('http_status').notNull(),
    workspaceId: text('workspace_id').notNull(),
    /** Not seen for 24 hours, a problem reads as resolved, whatever this says. */
    state: text('state', { enum: ['open', 'acknowledged', 'resolved'] })
      .notNull()
      .default('open'),
    stateSince: bigint('state_since', { mode: 'number' }).notNull(),
    acknowledgedBy: text('acknowledged_by'),
    /** How often it opened: 1, and one more for each failure after it was resolved. */
    opened: integer('opened').notNull().default(1),
    /** Since it opened last. */
    firstSeenAt: bigint('first_seen_at', { mode: 'number' }).notNull(),
    lastSeenAt: bigint('last_seen_at', { mode: 'number' }).notNull(),
    /** Failed attempts. */
    attempts: bigint('attempts', { mode: 'number' }).notNull(),
    /** Failed attempts whose delivery had another error before, or none. */
    deliveries: bigint('deliveries', { mode: 'number' }).notNull(),
    lastError: text('last_error').notNull(),
    lastDeliveryId: text('last_delivery_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.endpointId, table.errorClass, table.httpStatus] })],
)

/** How long the history of a workspace is retained, if less than that of the installation, in ms. Null: as long. */
export const workspaces = pgTable('keepsend_workspaces', {
  id: text('id').primaryKey().notNull(),
  attemptsMs: bigint('attempts_ms', { mode: 'number' }),
  bodiesMs: bigint('bodies_ms', { mode: 'number' }),
  /** The id of the attempt up to which bodies have been removed already. */
  bodiesDoneTo: bigint('bodies_done_to', { mode: 'number' }).notNull().default(0),
})

/** The notifications of workspaces about their endpoints, with `workspaceNotifications`: at most one a minute of each type. */
export const notifications = pgTable(
  'keepsend_notifications',
  {
    endpointId: text('endpoint_id').notNull(),
    /** The type of the notification. */
    type: text('event_type').$type<`keepsend.${string}`>().notNull(),
    workspaceId: text('workspace_id').notNull(),
    /** The notification that was sent with all of this; null while it collects, to be sent a minute after `sentAt`. */
    eventId: text('event_id'),
    sentAt: bigint('sent_at', { mode: 'number' }).notNull(),
    /** When the first of them happened. */
    beganAt: bigint('began_at', { mode: 'number' }).notNull(),
    occurrences: integer('occurrences').notNull(),
    /** The first failed deliveries, joined by commas. */
    deliveryIds: text('delivery_ids'),
    /** The data of the first of them, as JSON. */
    data: text('data').notNull(),
  },
  (table) => [primaryKey({ columns: [table.endpointId, table.type] })],
)

/** The processes that deliver, with `history`: each with its last heartbeat. Counts are null for a cron. */
export const workers = pgTable('keepsend_workers', {
  id: text('id').primaryKey().notNull(),
  kind: text('kind', { enum: ['poller', 'cron'] }).notNull(),
  version: text('version').notNull(),
  startedAt: bigint('started_at', { mode: 'number' }).notNull(),
  seenAt: bigint('seen_at', { mode: 'number' }).notNull(),
  claimed: bigint('claimed', { mode: 'number' }),
  settled: bigint('settled', { mode: 'number' }),
  intervalMs: bigint('interval_ms', { mode: 'number' }),
  intervalClaimed: bigint('interval_claimed', { mode: 'number' }),
  intervalSettled: bigint('interval_settled', { mode: 'number' }),
})
