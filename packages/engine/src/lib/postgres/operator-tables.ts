import { bigint, index, integer, pgTable, text } from 'drizzle-orm/pg-core'
import type { AuditVerb } from '../audit-verbs.ts'
import type { PortalCapability } from '../portal-capabilities.ts'
import { jsonText } from './json-text.ts'

/** Actions of people. An id that is null: the action was about none of that kind. */
export const audit = pgTable(
  'keepsend_audit',
  {
    /** In the order of time. */
    id: text('id').primaryKey().notNull(),
    at: bigint('at', { mode: 'number' }).notNull(),
    workspaceId: text('workspace_id').notNull(),
    /** The API key, or the name that the host gave; null: none was given. */
    by: text('principal'),
    verb: text('verb').$type<AuditVerb>().notNull(),
    endpointId: text('endpoint_id'),
    deliveryId: text('delivery_id'),
    problemId: text('problem_id'),
    replayId: text('replay_id'),
    erasureId: text('erasure_id'),
    apiKeyId: text('api_key_id'),
    /** The key that a rotation made. */
    newApiKeyId: text('new_api_key_id'),
    portalLinkId: text('portal_link_id'),
  },
  (table) => [index('keepsend_audit_workspace').on(table.workspaceId, table.id)],
)

/** Replay jobs. */
export const replays = pgTable(
  'keepsend_replays',
  {
    id: text('id').primaryKey().notNull(),
    workspaceId: text('workspace_id').notNull(),
    /** Empty: several endpoints. */
    endpointId: text('endpoint_id').notNull(),
    what: text('what', { enum: ['failed', 'delivered', 'missed', 'matching', 'ids'] }).notNull(),
    /** The filter that was asked for. */
    selection: jsonText('selection').$type<Record<string, string | number>>().notNull(),
    /** The deliveries of a job of `ids`. */
    ids: jsonText('ids').$type<string[]>(),
    /** Deliveries per second; null: as fast as the endpoint takes them. */
    rate: integer('rate'),
    /** Deliveries that were settled or published from this time on are taken, ms since the epoch. */
    sinceAt: bigint('since_at', { mode: 'number' }).notNull(),
    /** And before this time. */
    untilAt: bigint('until_at', { mode: 'number' }).notNull(),
    /** Counted when the job was made. */
    planned: bigint('planned', { mode: 'number' }).notNull(),
    /** 1: there are more than that. */
    plannedMore: integer('planned_more').notNull(),
    /** Deliveries that steps have passed. */
    seen: bigint('seen', { mode: 'number' }).notNull().default(0),
    sent: bigint('sent', { mode: 'number' }).notNull().default(0),
    /** Passed, and no longer stored. */
    gone: bigint('gone', { mode: 'number' }).notNull().default(0),
    state: text('state', { enum: ['running', 'paused', 'completed', 'cancelled'] })
      .notNull()
      .default('running'),
    /** Why it waits, or why it was cancelled. */
    reason: text('reason', {
      enum: ['endpoint_disabled', 'endpoint_paused', 'circuit_open', 'endpoint_deleted'],
    }),
    /** Compared and raised by each step. */
    step: integer('step').notNull().default(0),
    /** The endpoints in work with the position in each, and the last endpoint that was begun; null: there is no other. */
    position: jsonText('position')
      .$type<{ open: [endpointId: string, at: string][]; walked: string | null }>()
      .notNull(),
    /** Up to this time the rate is used. */
    pacedTo: bigint('paced_to', { mode: 'number' }).notNull(),
    /** When the next step is due. */
    dueAt: bigint('due_at', { mode: 'number' }).notNull(),
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    endedAt: bigint('ended_at', { mode: 'number' }),
  },
  (table) => [index('keepsend_replays_workspace').on(table.workspaceId, table.id)],
)

/** Erasures: jobs that delete rows, and tombstones until `guardsUntil`. */
export const erasures = pgTable(
  'keepsend_erasures',
  {
    id: text('id').primaryKey().notNull(),
    workspaceId: text('workspace_id').notNull(),
    what: text('what', { enum: ['event', 'endpoint', 'range', 'workspace'] }).notNull(),
    /** The event or the endpoint; empty: events of the range of ids. */
    target: text('target').notNull(),
    /** Events whose ids are from this one on are covered. */
    fromId: text('from_id').notNull(),
    /** And below this one. */
    toId: text('to_id').notNull(),
    /** The times of a range, ms since the epoch; of another erasure 0 and when it was made. */
    sinceAt: bigint('since_at', { mode: 'number' }).notNull(),
    untilAt: bigint('until_at', { mode: 'number' }).notNull(),
    /** Deliveries that were counted when the job was made. */
    planned: bigint('planned', { mode: 'number' }).notNull().default(0),
    /** Those of them that were not settled. */
    unsettled: bigint('unsettled', { mode: 'number' }).notNull().default(0),
    /** 1: there are more than were counted. */
    plannedMore: integer('planned_more').notNull().default(0),
    /** Deleted deliveries that had not been settled when the job was made. */
    dropped: bigint('dropped', { mode: 'number' }).notNull().default(0),
    /** Deleted deliveries that had a row. */
    deliveries: bigint('deliveries', { mode: 'number' }).notNull().default(0),
    attempts: bigint('attempts', { mode: 'number' }).notNull().default(0),
    events: bigint('events', { mode: 'number' }).notNull().default(0),
    /** Emptied answers of requests under an idempotency key. */
    answers: bigint('answers', { mode: 'number' }).notNull().default(0),
    state: text('state', { enum: ['running', 'completed'] })
      .notNull()
      .default('running'),
    /** Why it waits. */
    reason: text('reason', { enum: ['late_transactions', 'log_in_use'] }),
    /** Compared and raised by each step. */
    step: integer('step').notNull().default(0),
    position: jsonText('position').$type<{ pass: number; walk: number; after: string }>().notNull(),
    /** When the next step is due. */
    dueAt: bigint('due_at', { mode: 'number' }).notNull(),
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    endedAt: bigint('ended_at', { mode: 'number' }),
    /** The end of the tombstone. */
    guardsUntil: bigint('guards_until', { mode: 'number' }).notNull(),
  },
  (table) => [index('keepsend_erasures_workspace').on(table.workspaceId, table.id)],
)

/** Links that let customers into the portal, by a hash of their token. */
export const portalLinks = pgTable(
  'keepsend_portal_links',
  {
    id: text('id').primaryKey().notNull(),
    tokenHash: text('token_hash').notNull().unique(),
    workspaceId: text('workspace_id').notNull(),
    capabilities: jsonText('capabilities').$type<PortalCapability[]>().notNull(),
    /** 1, then 0; null: it can be opened again and again. */
    usesLeft: integer('uses_left'),
    subject: text('subject'),
    theme: text('theme', { enum: ['light', 'dark'] }),
    language: text('language'),
    returnUrl: text('return_url'),
    /** Empty: nobody was named. */
    createdBy: text('created_by').notNull(),
    createdAt: bigint('created_at', { mode: 'number' }).notNull(),
    expiresAt: bigint('expires_at', { mode: 'number' }).notNull(),
    /** When it was opened last. */
    lastUsedAt: bigint('last_used_at', { mode: 'number' }),
    revokedAt: bigint('revoked_at', { mode: 'number' }),
  },
  (table) => [index('keepsend_portal_links_workspace').on(table.workspaceId, table.id)],
)
