import { bigint, integer, pgTable, text } from 'drizzle-orm/pg-core'

/** `pending_events` for typed reads through drizzle. The hand-written migration rules; a test holds the two together. */
export const pendingEvents = pgTable('pending_events', {
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
  dueAt: bigint('due_at', { mode: 'number' }),
  claimedAt: bigint('claimed_at', { mode: 'number' }),
  createdAt: bigint('created_at', { mode: 'number' }).notNull(),
  completedAt: bigint('completed_at', { mode: 'number' }),
  lastError: text('last_error'),
  lastStatus: integer('last_status'),
  payload: text('payload').notNull(),
})
