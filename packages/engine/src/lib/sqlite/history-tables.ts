import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { jsonText } from './json-text.ts'

/** Attempts of deliveries, with `history`. The id contains the time of the settle: see `keepsend_attempts` in the migration. */
export const attempts = sqliteTable('keepsend_attempts', {
  id: integer('id').primaryKey().notNull(),
  deliveryId: text('delivery_id').notNull(),
  /** The claim under which it was made. */
  gen: integer('gen').notNull(),
  workspaceId: text('workspace_id').notNull(),
  endpointId: text('endpoint_id').notNull(),
  type: text('event_type').notNull(),
  /** 1 for the first attempt of the delivery; a deferred one has the number of the next. */
  number: integer('number').notNull(),
  /** Why it was made; `replay` and `test` also for their later attempts. */
  reason: text('reason', { enum: ['publish', 'retry', 'replay', 'test'] }).notNull(),
  startedAt: integer('started_at').notNull(),
  /** Of a first attempt: from the event to the attempt. Durations are microseconds. */
  queueUs: integer('queue_us'),
  /** The look-up of the name; null if the connection was open. */
  dnsUs: integer('dns_us'),
  /** Until the request had a connection: near 0 for one that was open. */
  connectUs: integer('connect_us'),
  /** The TLS handshake; null if the connection was open. */
  tlsUs: integer('tls_us'),
  /** From the start until the head of the response. */
  firstByteUs: integer('first_byte_us'),
  totalUs: integer('total_us').notNull(),
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
export const events = sqliteTable(
  'keepsend_events',
  {
    id: text('id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    type: text('event_type').notNull(),
    channels: jsonText('channels').$type<string[]>().notNull(),
    createdAt: integer('created_at').notNull(),
    /** Rows that its first publish inserted. */
    deliveries: integer('deliveries').notNull(),
    /** Null: JSON, Keepsend's envelope. */
    contentType: text('content_type'),
    /** The W3C trace context of the publisher. */
    traceparent: text('trace_parent'),
    /** In `keepsend_event_search`, by their paths. */
    searchValues: jsonText('search_values').$type<Record<string, string>>(),
    /** In `keepsend_payloads`. */
    payloadId: integer('payload_id').notNull(),
    /** The label of its payload; null: it has none. */
    version: text('version'),
    /** In `keepsend_payloads`, by the labels of its versions. */
    copies: jsonText('copies').$type<Record<string, number>>(),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.workspaceId] }),
    index('keepsend_events_workspace').on(table.workspaceId, table.id),
  ],
)

/** Values in the payloads of events, with `history.search`: see `keepsend_event_search` in the migration. */
export const eventSearch = sqliteTable(
  'keepsend_event_search',
  {
    workspaceId: text('workspace_id').notNull(),
    path: text('path').notNull(),
    value: text('value').notNull(),
    eventId: text('event_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.path, table.value, table.eventId] })],
)

/** Attempts by endpoint and time, with `statistics`. An empty id stands for all endpoints, and for all workspaces. */
export const statistics = sqliteTable(
  'keepsend_statistics',
  {
    span: text('span', { enum: ['minute', 'hour', 'day'] }).notNull(),
    /** The beginning of the minute, hour or day (UTC), ms since the epoch. */
    at: integer('at').notNull(),
    workspaceId: text('workspace_id').notNull(),
    endpointId: text('endpoint_id').notNull(),
    delivered: integer('delivered').notNull(),
    retried: integer('retried').notNull(),
    deferred: integer('deferred').notNull(),
    failed: integer('failed').notNull(),
    /** Attempts of replays and of tests, which no other column has. */
    replayed: integer('replayed').notNull(),
    tested: integer('tested').notNull(),
    /** Attempts by the bin of their duration. */
    sketch: jsonText('sketch').$type<Record<string, number>>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.span, table.at, table.workspaceId, table.endpointId] })],
)

/** How far each roll-up of statistics is: the last row that it added up. */
export const statisticsPasses = sqliteTable('keepsend_statistics_passes', {
  source: text('source', { enum: ['attempt', 'minute', 'hour'] })
    .primaryKey()
    .notNull(),
  /** An id of an attempt, or a time. */
  doneTo: integer('done_to').notNull(),
  workspaceId: text('workspace_id').notNull().default(''),
  endpointId: text('endpoint_id').notNull().default(''),
})

/** Problems of endpoints, with `history`: failed attempts of one endpoint with one error class and one HTTP status. */
export const problems = sqliteTable(
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
    stateSince: integer('state_since').notNull(),
    acknowledgedBy: text('acknowledged_by'),
    /** How often it opened: 1, and one more for each failure after it was resolved. */
    opened: integer('opened').notNull().default(1),
    /** Since it opened last. */
    firstSeenAt: integer('first_seen_at').notNull(),
    lastSeenAt: integer('last_seen_at').notNull(),
    /** Failed attempts. */
    attempts: integer('attempts').notNull(),
    /** Failed attempts whose delivery had another error before, or none. */
    deliveries: integer('deliveries').notNull(),
    lastError: text('last_error').notNull(),
    lastDeliveryId: text('last_delivery_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.endpointId, table.errorClass, table.httpStatus] })],
)

/** How long the history of a workspace is retained, if less than that of the installation, in ms. Null: as long. */
export const workspaces = sqliteTable('keepsend_workspaces', {
  id: text('id').primaryKey().notNull(),
  attemptsMs: integer('attempts_ms'),
  bodiesMs: integer('bodies_ms'),
  /** The id of the attempt up to which bodies have been removed already. */
  bodiesDoneTo: integer('bodies_done_to').notNull().default(0),
})

/** The notifications of workspaces about their endpoints, with `workspaceNotifications`: at most one a minute of each type. */
export const notifications = sqliteTable(
  'keepsend_notifications',
  {
    endpointId: text('endpoint_id').notNull(),
    /** The type of the notification. */
    type: text('event_type').$type<`keepsend.${string}`>().notNull(),
    workspaceId: text('workspace_id').notNull(),
    /** The notification that was sent with all of this; null while it collects, to be sent a minute after `sentAt`. */
    eventId: text('event_id'),
    sentAt: integer('sent_at').notNull(),
    /** When the first of them happened. */
    beganAt: integer('began_at').notNull(),
    occurrences: integer('occurrences').notNull(),
    /** The first failed deliveries, joined by commas. */
    deliveryIds: text('delivery_ids'),
    /** The data of the first of them, as JSON. */
    data: text('data').notNull(),
  },
  (table) => [primaryKey({ columns: [table.endpointId, table.type] })],
)

/** The processes that deliver, with `history`: each with its last heartbeat. Counts are null for a cron. */
export const workers = sqliteTable('keepsend_workers', {
  id: text('id').primaryKey().notNull(),
  kind: text('kind', { enum: ['poller', 'cron'] }).notNull(),
  version: text('version').notNull(),
  startedAt: integer('started_at').notNull(),
  seenAt: integer('seen_at').notNull(),
  claimed: integer('claimed'),
  settled: integer('settled'),
  intervalMs: integer('interval_ms'),
  intervalClaimed: integer('interval_claimed'),
  intervalSettled: integer('interval_settled'),
})
