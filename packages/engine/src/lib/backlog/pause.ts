import type { ClaimRef, OutboxDatabase } from '@keepsend/outbox'
import { type OptionNames, type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { checkBounds, checkNames } from '../errors.ts'

/**
 * A pause belongs to the endpoint: until `paused_until` no attempt begins, whichever delivery it is for, and its rows
 * are held. It is written by the settle of an attempt that was answered 429, or 503 with `Retry-After`, or by a person. It
 * only moves forward, and ends at its time, or when a person resumes or enables the endpoint or changes its URL. A
 * success does not end it.
 */
export interface PauseOptions {
  /** From now, in ms: 1,000–2,592,000,000 (30 days). @default 3_600_000 (1 hour) */
  forMs?: number | undefined
}

export const PAUSE_OPTIONS = { forMs: 'number' } satisfies OptionNames<PauseOptions>

const DAY_MS = 86_400_000
const DEFAULT_PAUSE_MS = 3_600_000
export const MAX_MANUAL_PAUSE_MS = 30 * DAY_MS

/** @throws {EngineError} `invalid_option`, naming option, bound and value */
export function readPauseOptions(options: PauseOptions): { forMs: number } {
  checkNames('endpoints.pause', PAUSE_OPTIONS, options)
  const { forMs = DEFAULT_PAUSE_MS } = options
  checkBounds('forMs', forMs, 1000, MAX_MANUAL_PAUSE_MS)
  return { forMs }
}

// A database's clock may be set back by so much without ending a pause.
const CLOCK_STEP_MS = 60_000

/**
 * The condition under which an endpoint is paused. No pause is believed that an honest clock could not have written: one
 * that a receiver asked for later than now, or a person's that ends after more than 30 days.
 */
export function isPaused(endpoint = 'keepsend_endpoints', now = clock()): SqlText {
  const it = raw(endpoint)
  return sqlText`case when ${it}.paused_until > ${now} and case when ${it}.pause_requested_at is null
      then ${it}.paused_until <= ${now} + ${ms(MAX_MANUAL_PAUSE_MS + DAY_MS)}
      else ${it}.pause_requested_at <= ${now} + ${ms(CLOCK_STEP_MS)} end then true else false end`
}

/** When the pause ends; null while there is none. */
export function pausedUntil(endpoint = 'keepsend_endpoints'): SqlText {
  return sqlText`case when ${isPaused(endpoint)} then ${raw(endpoint)}.paused_until end`
}

/** The time, or the end of the pause of `keepsend_endpoints` if that is later: held rows are not resumed before. */
export function notBeforePause({ dialect }: Pick<OutboxDatabase, 'dialect'>, time: SqlText): SqlText {
  return sqlText`${dialect.greatest}(${time}, coalesce(${pausedUntil()}, 0))`
}

/** An attempt whose answer asks for a wait. */
export interface RequestedPause {
  claim: ClaimRef
  pauseMs: number
}

/**
 * Pauses the endpoint for the longest time that any of these attempts was asked to wait. One whose claim is lost has no
 * say, nor has any once the endpoint is another version than the attempts read.
 */
export function pauseAsRequestedStatement(
  db: OutboxDatabase,
  { endpointId, version }: { endpointId: string; version: number },
  asked: readonly RequestedPause[],
): SqlText {
  const wishes = db.dialect.rows('wish', asked, {
    claim_id: ['text', ({ claim }) => claim.id],
    claim_gen: ['integer', ({ claim }) => claim.gen],
    pause_ms: ['integer', ({ pauseMs }) => pauseMs],
  })
  const until = sqlText`${clock()} + longest.ms`
  return sqlText`
    update keepsend_endpoints set
      pause_requested_at = case when ${pausedUntil()} >= ${until} then pause_requested_at else ${clock()} end,
      ${pauseSet(db, until)}
    from (
      select max(pause_ms) as ms from ${wishes} cross join pending_events as delivery
      where delivery.id = claim_id and delivery.gen = claim_gen and delivery.status = 'pending') as longest
    where id = ${endpointId} and version = ${version} and longest.ms is not null`
}

/**
 * Paused until then, or until the pause ends that stands if that is later. Held rows wait as long, those that are
 * published meanwhile as well.
 */
export function pauseSet(db: Pick<OutboxDatabase, 'dialect'>, until: SqlText): SqlText {
  const later = notBeforePause(db, until)
  return sqlText`paused_until = ${later},
      resume_at = case when status = 'enabled' then ${db.dialect.greatest}(coalesce(resume_at, 0), ${later}) end`
}

export const END_PAUSE = raw('paused_until = null, pause_requested_at = null')

function ms(value: number): SqlText {
  return raw(String(value))
}
