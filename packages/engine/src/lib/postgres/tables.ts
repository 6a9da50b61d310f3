import { bigint, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import type { Scope } from '../scopes.ts'
import type { ShownAuth, ShownTls } from '../credentials.ts'
import type { ContentFilter } from '../filters/content-filter.ts'
import { jsonText } from './json-text.ts'

export { audit, erasures, portalLinks, replays } from './operator-tables.ts'
export {
  attempts,
  events,
  eventSearch,
  statistics,
  statisticsPasses,
  problems,
  workspaces,
  notifications,
  workers,
} from './history-tables.ts'

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
    /** A condition on the body of an event, and how often it was changed. */
    filter: jsonText('filter').$type<ContentFilter>(),
    filterVersion: integer('filter_version').notNull().default(0),
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
    /** The host's own id of it, unique in the workspace. */
    uid: text('uid'),
    metadata: jsonText('metadata').$type<Record<string, string>>().notNull(),
    /** The label of the version that it gets; null: it was made without one. */
    eventVersion: text('event_version'),
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
