import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, createCodec, json, sqlText } from '@keepsend/outbox/internal'
import { jsonRow, readRow } from '../idempotency/idempotent-change.ts'
import type { replays } from '../sqlite/tables.ts'

/**
 * A job that sends deliveries again, in steps of one transaction each:
 *
 * ```text
 *            create             a person: pause
 *   ───────────────► running ─────────────────────► paused
 *                     │  │ ◄─────────────────────── │
 *                     │  │         resume           │ a person: cancel
 *     its last step,  │  │                          ▼
 *     or nothing      │  └───────────────────► cancelled
 *     to send         ▼       a person: cancel;
 *                  completed  a step that finds the endpoint deleted
 * ```
 *
 * A running job waits while its endpoint takes nothing; `reason` says why. A step commits only if the job is running and no
 * other step was first, so each delivery is taken once, by however many processes.
 */
export const REPLAY_STATES = ['running', 'paused', 'completed', 'cancelled'] as const

export type ReplayState = (typeof REPLAY_STATES)[number]

/**
 * - `endpoint_disabled`, `endpoint_paused`, `circuit_open`: the job waits until its endpoint takes deliveries again.
 * - `endpoint_deleted`: the job was cancelled, because its endpoint was deleted.
 */
export const REPLAY_REASONS = ['endpoint_disabled', 'endpoint_paused', 'circuit_open', 'endpoint_deleted'] as const

export type ReplayReason = (typeof REPLAY_REASONS)[number]

type Stored = typeof replays.$inferSelect

/** How many deliveries a replay would send, and of which time. Times are milliseconds since the epoch. */
export interface ReplayPlan {
  /** Deliveries that match. Each of them is sent or skipped. */
  planned: number
  /** Whether there are more: counting ends after 10,000 deliveries, or many reads. */
  plannedMore: boolean
  /** The oldest time that is searched: a retention, or the beginning of the history, may be later than `since`. Null: of all times. */
  reachesBackTo: number | null
  /** Only what was settled before this time is taken; for `missed` what was published before it. */
  until: number
}

/** A replay job. */
export interface ReplayJob
  extends ReplayPlan, Pick<Stored, 'id' | 'workspaceId' | 'what' | 'rate' | 'state' | 'reason'> {
  /** Null: several endpoints. */
  endpointId: string | null
  /** The filter that was asked for, without ids. */
  selection: Stored['selection']
  sent: number
  /** At the end of the job `planned` is what was sent and skipped. */
  skipped: ReplaySkipped
  createdAt: number
  /** When it was completed or cancelled; null: it was not. */
  endedAt: number | null
}

/** Deliveries that were not sent. */
export interface ReplaySkipped {
  /** They were not settled, or had been settled again. */
  onItsWay: number
  /** The delivery, its event or its payload was no longer stored. */
  noLongerStored: number
  /** They were counted when the job was made, and matched no more when it reached them: sent by others, or deleted. */
  changed: number
}

export const replayRows = createCodec<typeof replays>({
  id: 'id',
  workspaceId: 'workspace_id',
  endpointId: 'endpoint_id',
  what: 'what',
  selection: json('selection'),
  ids: json('ids'),
  rate: 'rate',
  sinceAt: 'since_at',
  untilAt: 'until_at',
  planned: 'planned',
  plannedMore: 'planned_more',
  seen: 'seen',
  sent: 'sent',
  gone: 'gone',
  state: 'state',
  reason: 'reason',
  step: 'step',
  position: json('position'),
  pacedTo: 'paced_to',
  dueAt: 'due_at',
  createdAt: 'created_at',
  endedAt: 'ended_at',
})

const SHOWN = [
  'id',
  'workspaceId',
  'endpointId',
  'what',
  'selection',
  'rate',
  'sinceAt',
  'untilAt',
  'planned',
  'plannedMore',
  'seen',
  'sent',
  'gone',
  'state',
  'reason',
  'createdAt',
  'endedAt',
] as const

/** The shown columns of `keepsend_replays as job`. */
export const SHOWN_COLUMNS = replayRows.some('job', SHOWN)

/** Selects a job as one text for a stored answer; {@link readAnswered} parses it. */
export function selectAnswered(db: Pick<OutboxDatabase, 'dialect'>, where: SqlText): SqlText {
  return sqlText`
    select ${jsonRow(db, SHOWN)} from (select ${SHOWN_COLUMNS} from keepsend_replays as job where ${where}) as answered`
}

export function readAnswered(answer: string): ReplayJob {
  return toJob(readRow(SHOWN, answer))
}

export function toJob(row: Row): ReplayJob {
  const { endpointId, sinceAt, untilAt, planned, plannedMore, seen, sent, gone, ...job } =
    replayRows.read<(typeof SHOWN)[number]>(row)
  const isCounted = plannedMore === 0
  const isDone = job.state === 'completed'
  return {
    ...job,
    endpointId: endpointId === '' ? null : endpointId,
    // A number that was not counted when the job was made is known at its end.
    planned: isCounted || !isDone ? Math.max(planned, seen) : seen,
    plannedMore: !isCounted && !isDone,
    reachesBackTo: sinceAt === 0 ? null : sinceAt,
    until: untilAt,
    sent,
    skipped: {
      onItsWay: seen - sent - gone,
      noLongerStored: gone,
      changed: isCounted && isDone ? Math.max(0, planned - seen) : 0,
    },
  }
}
