import { sql } from 'drizzle-orm/sql/sql'
import { bigint, integer, pgTable, smallint, text } from 'drizzle-orm/pg-core'

/**
 * `pending_events` for typed reads through drizzle. The hand-written migration is authoritative; a test compares the
 * two.
 */
export const pendingEvents = pgTable('pending_events', {
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
  heldAt: bigint('held_at', { mode: 'number' }),
  /** Attempts that counted. A release subtracts one, so it is no fence: that is `gen`. */
  attempts: integer('attempts').notNull().default(0),
  maxAttempts: integer('max_attempts').notNull().default(10),
  /** Waits that a receiver asked for; they do not count as attempts. */
  deferrals: integer('deferrals').notNull().default(0),
  /** Claims that found the mark of a worker that died. */
  crashes: integer('crashes').notNull().default(0),
  /**
   * The claim generation, the fencing token: begins at `created_at`, + 1 on every claim, sweep, reschedule, release,
   * hold, resume and replay.
   */
  gen: bigint('gen', { mode: 'number' })
    .notNull()
    .default(sql`cast(floor(extract(epoch from statement_timestamp()) * 1000) as bigint)`),
  /** Due time of a pending row, end of the lease of a claimed row. Null: dispatched to a queue, or not pending. */
  dueAt: bigint('due_at', { mode: 'number' }),
  /** 1 while the row is in line in its lane; 0 while it waits for a time or is not pending. */
  ready: smallint('ready').notNull().default(0),
  /** The mark of a claim and its time; null when the row is not claimed. */
  claimedAt: bigint('claimed_at', { mode: 'number' }),
  createdAt: bigint('created_at', { mode: 'number' }).notNull(),
  /** No attempt begins before this time, from which its age counts. Null: it had passed at the insert, or was not given. */
  deliverAt: bigint('deliver_at', { mode: 'number' }),
  /** From this time on the delivery fails as expired. A replay sets both times to null. */
  expiresAt: bigint('expires_at', { mode: 'number' }),
  /** Time of its last replay, from which its age counts. */
  replayedAt: bigint('replayed_at', { mode: 'number' }),
  /** When it failed. */
  completedAt: bigint('completed_at', { mode: 'number' }),
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
  payloadId: bigint('payload_id', { mode: 'number' }),
  /** The exact bytes to sign and send; null: they are in {@link payloads}. */
  payload: text('payload'),
})

/** `keepsend_payloads`: payloads that rows of one event share, or that are too long for their row. */
export const payloads = pgTable('keepsend_payloads', {
  id: bigint('id', { mode: 'number' })
    .primaryKey()
    .notNull()
    .default(sql`nextval('keepsend_payload_id')`),
  eventId: text('event_id').notNull(),
  payload: text('payload').notNull(),
  /** The label of a converted copy; null: it is no copy. */
  version: text('version'),
})
