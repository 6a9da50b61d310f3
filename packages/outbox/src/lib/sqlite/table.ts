import { sql } from 'drizzle-orm/sql/sql'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/**
 * `pending_events` for typed reads through drizzle. The hand-written migration is authoritative; a test compares the
 * two.
 */
export const pendingEvents = sqliteTable('pending_events', {
  /** `<event id>.<endpoint id>`, or the event id alone. */
  id: text('id').primaryKey().notNull(),
  workspaceId: text('workspace_id').notNull(),
  type: text('event_type').notNull(),
  /** `''` for none. */
  endpointId: text('endpoint_id').notNull().default(''),
  status: text('status', { enum: ['pending', 'completed', 'failed', 'held'] })
    .notNull()
    .default('pending'),
  /** Why a `held` row is held. */
  holdReason: text('hold_reason'),
  /** When it was held. */
  heldAt: integer('held_at'),
  /** Attempts that counted. A release subtracts one, so it is no fence: that is `gen`. */
  attempts: integer('attempts').notNull().default(0),
  maxAttempts: integer('max_attempts').notNull().default(10),
  /** Waits that a receiver asked for; they do not count as attempts. */
  deferrals: integer('deferrals').notNull().default(0),
  /** Claims that found the mark of a worker that died. */
  crashes: integer('crashes').notNull().default(0),
  /** The claim generation, the fencing token: begins at `created_at`, + 1 on every claim, sweep, reschedule, release, hold, resume and replay. */
  gen: integer('gen')
    .notNull()
    .default(sql`cast(round(unixepoch('subsec') * 1000) as integer)`),
  /** Due time of a pending row, end of the lease of a claimed row. Null: dispatched to a queue, or not pending. */
  dueAt: integer('due_at'),
  /** 1 while the row is in line in its lane; 0 while it waits for a time or is not pending. */
  ready: integer('ready').notNull().default(0),
  /** The mark of a claim and its time; null when the row is not claimed. */
  claimedAt: integer('claimed_at'),
  createdAt: integer('created_at').notNull(),
  /** No attempt begins before this time, from which its age counts. Null: it had passed at the insert, or was not given. */
  deliverAt: integer('deliver_at'),
  /** From this time on the delivery fails as expired. A replay sets both times to null. */
  expiresAt: integer('expires_at'),
  /** Time of its last replay, from which its age counts. */
  replayedAt: integer('replayed_at'),
  /** When it failed. */
  completedAt: integer('completed_at'),
  lastError: text('last_error'),
  lastStatus: integer('last_status'),
  /** The media type of a payload that is not JSON; null: JSON. */
  contentType: text('content_type'),
  /** A condition on the payload that its worker still has to evaluate, as JSON; null: none. */
  filter: text('filter'),
  /** The label of the payload; null: its event has none. */
  version: text('version'),
  /** The label to which its worker still has to convert the payload; null: none. */
  convertTo: text('convert_to'),
  /** Where `payload` is stored when it is not in the row. */
  payloadId: integer('payload_id'),
  /** The exact bytes to sign and send; null: they are in {@link payloads}. */
  payload: text('payload'),
})

/** `keepsend_payloads`: payloads that rows of one event share, or that are too long for their row. */
export const payloads = sqliteTable('keepsend_payloads', {
  id: integer('id').primaryKey().notNull(),
  eventId: text('event_id').notNull(),
  payload: text('payload').notNull(),
  /** The label of a converted copy; null: it is no copy. */
  version: text('version'),
})
