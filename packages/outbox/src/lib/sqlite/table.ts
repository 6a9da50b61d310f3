import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** `pending_events` for typed reads through drizzle. The hand-written migration rules; a test holds the two together. */
export const pendingEvents = sqliteTable('pending_events', {
  id: text('id').primaryKey().notNull(),
  workspaceId: text('workspace_id').notNull(),
  type: text('event_type').notNull(),
  endpointId: text('endpoint_id'),
  status: text('status', { enum: ['pending', 'completed', 'failed', 'held'] })
    .notNull()
    .default('pending'),
  holdReason: text('hold_reason'),
  attempts: integer('attempts').notNull().default(0),
  maxAttempts: integer('max_attempts').notNull().default(10),
  deferrals: integer('deferrals').notNull().default(0),
  crashes: integer('crashes').notNull().default(0),
  gen: integer('gen').notNull().default(0),
  dueAt: integer('due_at'),
  claimedAt: integer('claimed_at'),
  createdAt: integer('created_at').notNull(),
  completedAt: integer('completed_at'),
  lastError: text('last_error'),
  lastStatus: integer('last_status'),
  payload: text('payload').notNull(),
})
