import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, createCodec, json, sqlText } from '@keepsend/outbox/internal'
import { jsonRow, readRow } from '../idempotency/idempotent-change.ts'
import type { erasures } from '../sqlite/tables.ts'

/**
 * A job that deletes rows in steps of one transaction each, in two passes:
 *
 * ```text
 *   create ──► running ────────────────────────────────────────────────────────────► completed
 *              pass 1 ──► late_transactions ──► pass 2 ──► the log is scrubbed ───┘
 *                         60 s from its creation           log_in_use: a reader keeps it
 * ```
 *
 * The second pass deletes what transactions inserted that began before the job and ended after its first pass. A step commits only
 * if no other step was first, so several processes run a job as one. The row is the tombstone too, from its creation on.
 */
export const ERASURE_STATES = ['running', 'completed'] as const

/**
 * - `late_transactions`: the second pass begins when transactions that began before the job have ended.
 * - `log_in_use`: on SQLite a reader keeps the write-ahead log from being truncated; it is tried again every 5 s.
 */
export const ERASURE_REASONS = ['late_transactions', 'log_in_use'] as const

/** A job as it is stored. */
export type Job = typeof erasures.$inferSelect

/** How many deliveries an erasure would delete. */
export interface ErasurePlan {
  /** Deliveries that have a row: those that are not settled, and failed ones. */
  planned: number
  /** Those of them that are not settled. They are dropped: nobody receives them. */
  unsettled: number
  /** Whether there are more: counting ends after 10,000 deliveries, or many reads. */
  plannedMore: boolean
}

/** An erasure. Times are milliseconds since the epoch. */
export interface Erasure
  extends
    ErasurePlan,
    Pick<
      Job,
      | 'id'
      | 'workspaceId'
      | 'what'
      | 'dropped'
      | 'deliveries'
      | 'attempts'
      | 'events'
      | 'answers'
      | 'state'
      | 'reason'
      | 'createdAt'
      | 'endedAt'
      | 'guardsUntil'
    > {
  eventId: string | null
  endpointId: string | null
  /** The range of times; null: no bound, or no range. */
  since: number | null
  until: number | null
}

export const erasureRows = createCodec<typeof erasures>({
  id: 'id',
  workspaceId: 'workspace_id',
  what: 'what',
  target: 'target',
  fromId: 'from_id',
  toId: 'to_id',
  sinceAt: 'since_at',
  untilAt: 'until_at',
  planned: 'planned',
  unsettled: 'unsettled',
  plannedMore: 'planned_more',
  dropped: 'dropped',
  deliveries: 'deliveries',
  attempts: 'attempts',
  events: 'events',
  answers: 'answers',
  state: 'state',
  reason: 'reason',
  step: 'step',
  position: json('position'),
  dueAt: 'due_at',
  createdAt: 'created_at',
  endedAt: 'ended_at',
  guardsUntil: 'guards_until',
})

const SHOWN = [
  'id',
  'workspaceId',
  'what',
  'target',
  'sinceAt',
  'untilAt',
  'planned',
  'unsettled',
  'plannedMore',
  'dropped',
  'deliveries',
  'attempts',
  'events',
  'answers',
  'state',
  'reason',
  'createdAt',
  'endedAt',
  'guardsUntil',
] as const

/** The shown columns of `keepsend_erasures as job`. */
export const SHOWN_COLUMNS = erasureRows.some('job', SHOWN)

/** Selects a job as one text for a stored answer; {@link readAnswered} parses it. */
export function selectAnswered(db: Pick<OutboxDatabase, 'dialect'>, where: SqlText): SqlText {
  return sqlText`
    select ${jsonRow(db, SHOWN)} from (select ${SHOWN_COLUMNS} from keepsend_erasures as job where ${where}) as answered`
}

export function readAnswered(answer: string): Erasure {
  return toErasure(readRow(SHOWN, answer))
}

export function toErasure(row: Row): Erasure {
  const { target, sinceAt, untilAt, plannedMore, ...job } = erasureRows.read<(typeof SHOWN)[number]>(row)
  const isRange = job.what === 'range'
  return {
    ...job,
    plannedMore: plannedMore === 1,
    eventId: job.what === 'event' ? target : null,
    endpointId: job.what === 'endpoint' ? target : null,
    since: isRange && sinceAt > 0 ? sinceAt : null,
    until: isRange ? untilAt : null,
  }
}
