/**
 * The life of a row, and who moves it:
 *
 * ```text
 *            enqueue
 *               │
 *               ▼   claim (lease, gen + 1)          complete
 *   ┌──────► pending ◄──────────────► pending ─────────────────► completed, or the row is deleted
 *   │           ▲     release, reschedule │  fail, or buried by a claim or sweep that finds
 *   │           │     (gen + 1)           │  its attempts used up
 *   │  un-hold  │                         ├────────────────────► failed ──┐
 *   │           │           hold          │                               │ clean-up deletes
 *   │          held ◄─────────────────────┘                               ▼
 *   └──────────────────────── replay (attempts 0, gen + 1) ◄──── completed, failed
 * ```
 *
 * There is no state `claimed`: a claim is a lease, kept in `due_at`, with `claimed_at` as its mark. A row whose
 * lease ran out is simply due again, and the mark tells the next claimer that a worker died on it.
 */
export type EventStatus = 'pending' | 'completed' | 'failed' | 'held'

/** One row of `pending_events`: one delivery. Times are milliseconds since the epoch, by the database's clock. */
export interface PendingEvent {
  /** `<event id>.<endpoint id>`, or the event id alone. */
  id: string
  workspaceId: string
  type: string
  endpointId: string | null
  status: EventStatus
  /** Why a `held` row is kept aside. */
  holdReason: string | null
  /** Attempts charged. Refunded by a release, so never a fence: that is `gen`. */
  attempts: number
  maxAttempts: number
  /** Waits a receiver asked for, not charged. */
  deferrals: number
  /** Claims that found the mark of a worker that died. */
  crashes: number
  /** The claim generation, the fencing token: + 1 on every claim, sweep, reschedule, release, hold and replay. */
  gen: number
  /** When the row may be claimed; while it is claimed, the end of its lease. Null: handed to a queue, or not pending. */
  dueAt: number | null
  /** The mark of a claim and its time; null when no worker holds the row. */
  claimedAt: number | null
  createdAt: number
  completedAt: number | null
  lastError: string | null
  lastStatus: number | null
  /** The exact bytes to sign and send. */
  payload: string
}

/** What names a claim: the row and the generation under which it was taken. */
export interface ClaimRef {
  id: string
  gen: number
}

/** `'lost'`: the row was settled, released or claimed by another since; nothing was changed. */
export type SettleResult = 'ok' | 'lost'

/** `last_error` of a row whose worker died on its last attempt: the delivery may have arrived. */
export const UNKNOWN_OUTCOME = 'unknown_outcome'

/** `last_error` of a row that became due with its attempts used up and no error of its own. */
export const ATTEMPTS_EXHAUSTED = 'attempts_exhausted'

/** Claims that found a dead worker and are refunded, so that a crash loop cannot bury innocent rows. */
export const REFUNDED_CRASHES = 3

/** The columns of a row under their names in TypeScript, for a `select` or a `returning`. */
export const ROW_COLUMNS =
  'id, workspace_id as "workspaceId", event_type as "type", endpoint_id as "endpointId", status, hold_reason as "holdReason", ' +
  'attempts, max_attempts as "maxAttempts", deferrals, crashes, gen, due_at as "dueAt", claimed_at as "claimedAt", ' +
  'created_at as "createdAt", completed_at as "completedAt", last_error as "lastError", last_status as "lastStatus", payload'
