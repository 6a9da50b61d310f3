import type { ClaimRef, OutboxDatabase } from '@keepsend/outbox'
import { type OptionNames, type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { BY_OPTION, type ByOption } from '../audit/action.ts'
import { checkBounds, checkNames } from '../errors.ts'

/**
 * Options of a pause by a person. Until `paused_until` no attempt of any delivery to the endpoint begins, and its rows are
 * held. A pause is also written by the settle of an attempt that was answered with 429, or 503 with `Retry-After`. The end of
 * a pause only moves forward. It ends at its time, or when a person resumes or enables the endpoint or changes its URL; a
 * success does not end it.
 */
export interface PauseOptions extends ByOption {
  /** From now, in ms: 1,000–2,592,000,000 (30 days). @default 3_600_000 (1 hour) */
  forMs?: number | undefined
}

export const PAUSE_OPTIONS = { forMs: 'number', ...BY_OPTION } satisfies OptionNames<PauseOptions>

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

// If the database's clock is set back by at most this much, a pause does not end early.
const CLOCK_STEP_MS = 60_000

/**
 * The condition under which an endpoint is paused. A pause that only a wrong clock can have written is ignored: one that a
 * receiver requested in the future, or a person's that ends more than 31 days from now.
 */
export function isPaused(endpoint = 'keepsend_endpoints', now = clock()): SqlText {
  const it = raw(endpoint)
  return sqlText`case when ${it}.paused_until > ${now} and case when ${it}.pause_requested_at is null
      then ${it}.paused_until <= ${now} + ${ms(MAX_MANUAL_PAUSE_MS + DAY_MS)}
      else ${it}.pause_requested_at <= ${now} + ${ms(CLOCK_STEP_MS)} end then true else false end`
}

/** An expression: the time at which the pause ends, or null if the endpoint is not paused. */
export function pausedUntil(endpoint = 'keepsend_endpoints'): SqlText {
  return sqlText`case when ${isPaused(endpoint)} then ${raw(endpoint)}.paused_until end`
}

/** An expression: this time, or the end of the pause of `keepsend_endpoints` if that is later, before which no held row resumes. */
export function notBeforePause({ dialect }: Pick<OutboxDatabase, 'dialect'>, time: SqlText): SqlText {
  return sqlText`${dialect.greatest}(${time}, coalesce(${pausedUntil()}, 0))`
}

/** A wait that the receiver of an attempt asked for. */
export interface RequestedPause {
  claim: ClaimRef
  pauseMs: number
}

/**
 * Pauses the endpoint for the longest of these requests. Requests whose claim is not current are ignored; all are ignored if
 * the endpoint no longer has the version that the attempts read.
 */
export function pauseAsRequestedStatement(
  db: OutboxDatabase,
  { endpointId, version }: { endpointId: string; version: number },
  requests: readonly RequestedPause[],
): SqlText {
  const requested = db.dialect.rows('request', requests, {
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
      select max(pause_ms) as ms from ${requested} cross join pending_events as delivery
      where delivery.id = claim_id and delivery.gen = claim_gen and delivery.status = 'pending') as longest
    where id = ${endpointId} and version = ${version} and longest.ms is not null`
}

/**
 * The assignments that pause an endpoint until this time, or until its current pause ends if that is later. Rows that are
 * held, or published meanwhile, resume no earlier.
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
