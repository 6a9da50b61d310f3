import type { ClaimRef, OutboxDatabase } from '@keepsend/outbox'
import {
  type OptionNames,
  type OptionsOf,
  type SqlText,
  clock,
  raw,
  sqlText,
  withDefaults,
} from '@keepsend/outbox/internal'
import { EngineError, checkBounds } from '../errors.ts'
import { END_PAUSE, notBeforePause } from '../backlog/pause.ts'

/**
 * When the circuit of a failing endpoint opens, and when the endpoint is disabled:
 *
 * ```text
 *      too many failures or time-outs                 failing for `disableAfterMs`
 *   closed ───────────────────────► open ─────────────────────────────────────────► disabled
 *      ▲                            │  ▲                                               │
 *      └──── an attempt succeeds ───┘  └─ every `openMs` one held row is sent: a probe  │
 *      └──────────────────────────────── a person enables it ──────────────────────────┘
 * ```
 *
 * The state is in the database, so it survives restarts and all processes share it. While the circuit is open, the rows of
 * the endpoint are held and no attempt counts; a probe is an attempt like any other and counts.
 */
export interface CircuitOptions {
  /** The rate of failures in the window at which the circuit opens: 0.01–1. @default 0.7 */
  failureRate: number
  /** The number of attempts in the window from which `failureRate` applies: 1–10,000. @default 10 */
  minAttempts: number
  /** The length of the window, which begins with a failure, in ms: 1,000–86,400,000. @default 300_000 (5 minutes) */
  windowMs: number
  /** Consecutive failures at which the circuit opens, in whatever time: 1–10,000. @default 10 */
  failuresInRow: number
  /** Consecutive time-outs at which the circuit opens: 1–10,000. @default 3 */
  timeoutsInRow: number
  /** The wait before each probe, in ms, plus up to a tenth of jitter: 1,000–86,400,000. @default 60_000 */
  openMs: number
  /** How long an endpoint may fail without a success before it is disabled, in ms: 60,000–31,536,000,000. @default 432_000_000 (5 days) */
  disableAfterMs: number
}

export const CIRCUIT_OPTIONS = {
  failureRate: 'number',
  minAttempts: 'number',
  windowMs: 'number',
  failuresInRow: 'number',
  timeoutsInRow: 'number',
  openMs: 'number',
  disableAfterMs: 'number',
} satisfies OptionNames<CircuitOptions>

const DEFAULTS = {
  failureRate: 0.7,
  minAttempts: 10,
  windowMs: 300_000,
  failuresInRow: 10,
  timeoutsInRow: 3,
  openMs: 60_000,
  disableAfterMs: 432_000_000,
} satisfies CircuitOptions

const BOUNDS: Record<Exclude<keyof CircuitOptions, 'failureRate'>, [min: number, max: number]> = {
  minAttempts: [1, 10_000],
  windowMs: [1000, 86_400_000],
  failuresInRow: [1, 10_000],
  timeoutsInRow: [1, 10_000],
  openMs: [1000, 86_400_000],
  disableAfterMs: [60_000, 31_536_000_000],
}

/** @throws {EngineError} `invalid_option`, naming option, bound and value */
export function circuitOptions(options: OptionsOf<CircuitOptions> = {}): CircuitOptions {
  const whole = withDefaults(options, DEFAULTS)
  for (const name of Object.keys(BOUNDS) as (keyof typeof BOUNDS)[]) {
    checkBounds(`circuit.${name}`, whole[name], ...BOUNDS[name])
  }
  if (!(whole.failureRate >= 0.01 && whole.failureRate <= 1)) {
    throw new EngineError('invalid_option', `circuit.failureRate must be from 0.01 to 1; found ${whole.failureRate}`)
  }
  return whole
}

/** An endpoint's health, as read from the database. */
export interface Health {
  circuit: 'closed' | 'open'
  /** The one delivery that may be attempted while the circuit is open. */
  probeId: string | null
  /** The time of the first failure since the last success, ms since the epoch. */
  failingSince: number | null
  /** The last warning sent, in percent of `disableAfterMs`. */
  warned: number
  failuresInRow: number
  windowAt: number | null
  windowFailures: number
}

/** Whether the endpoint has failures that a success resets. For a healthy endpoint a success writes nothing. */
export function isFailing({ circuit, failingSince, windowAt, windowFailures }: Health, now: number, windowMs: number) {
  const inWindow = windowAt !== null && windowAt > now - windowMs && windowFailures > 0
  return circuit === 'open' || failingSince !== null || inWindow
}

/** The attempts at one version of one endpoint that are settled together. */
export interface Tally {
  endpointId: string
  version: number
  failed: readonly ClaimRef[]
  succeeded: readonly ClaimRef[]
  /** Failures after the last success; all of them if there was none. */
  trailing: number
  /** The failures that ended at their deadline without an answer. */
  timedOut: readonly ClaimRef[]
  /** All other attempts, including those that are neither success nor failure. */
  answered: readonly ClaimRef[]
  /** Time-outs after the last answer. */
  trailingTimeouts: number
}

// The fence of every statement below: a settle that lost its lease must change nothing else either.
/** The `from` of the claims (or held rows) that still have their `gen` and are not settled, as rows of `delivery`. */
export function currentClaims(db: OutboxDatabase, claims: readonly ClaimRef[]): SqlText {
  // The first list finds the rows by primary key, the second compares their gen.
  return sqlText`pending_events as delivery where delivery.completed_at is null
    and delivery.id ${db.dialect.keys(claims.map(({ id }) => id))}
    and delivery.id || '#' || delivery.gen ${db.dialect.oneOf(claims.map(({ id, gen }) => `${id}#${gen}`))}`
}

export function anyClaimIsCurrent(db: OutboxDatabase, claims: readonly ClaimRef[]): SqlText {
  return sqlText`exists (select 1 from ${currentClaims(db, claims)})`
}

function countCurrent(db: OutboxDatabase, claims: readonly ClaimRef[]): SqlText {
  return claims.length === 0 ? raw('0') : sqlText`(select cast(count(*) as integer) from ${currentClaims(db, claims)})`
}

/** Adds attempts whose claims are current to the endpoint's counters. */
export function recordAttemptsStatement(db: OutboxDatabase, tally: Tally, { windowMs }: CircuitOptions): SqlText {
  const { endpointId, version, failed, succeeded, trailing, timedOut, answered, trailingTimeouts } = tally
  const expired = sqlText`(window_at is null or window_at <= ${clock()} - ${raw(String(windowMs))})`
  const trail = sqlText`cast(${trailing} as integer)`
  const restarted = sqlText`case when failed > 0 and ${trail} > 0`
  return sqlText`
    update keepsend_endpoints set
      failing_since = case when succeeded = 0 then coalesce(failing_since, case when failed > 0 then ${clock()} end)
        else ${restarted} then ${clock()} end end,
      failures_in_row = case when succeeded = 0 then failures_in_row + failed else ${restarted} then ${trail} else 0 end end,
      timeouts_in_row = case when answered = 0 then timeouts_in_row + timed_out
        when timed_out > 0 then cast(${trailingTimeouts} as integer) else 0 end,
      warned = case when succeeded = 0 then warned else 0 end,
      window_at = case when not ${expired} then window_at when failed > 0 then ${clock()} end,
      window_failures = case when ${expired} then failed else window_failures + failed end,
      window_successes = case when not ${expired} then window_successes + succeeded when failed > 0 then succeeded else 0 end
    from (select ${countCurrent(db, failed)} as failed, ${countCurrent(db, succeeded)} as succeeded,
      ${countCurrent(db, timedOut)} as timed_out, ${countCurrent(db, answered)} as answered) as counted
    where id = ${endpointId} and version = ${version} and timed_out + answered > 0`
}

/** The condition under which the endpoint's counters open its closed circuit. */
export function shouldOpen({ endpointId, version }: Tally, options: CircuitOptions): SqlText {
  const { failuresInRow, timeoutsInRow, minAttempts, failureRate } = options
  return sqlText`id = ${endpointId} and version = ${version} and status = 'enabled' and circuit <> 'open' and (
    failures_in_row >= ${raw(String(failuresInRow))}
    or timeouts_in_row >= ${raw(String(timeoutsInRow))}
    or (window_failures + window_successes >= ${raw(String(minAttempts))}
      and window_failures >= (window_failures + window_successes) * ${raw(String(failureRate))}))`
}

/** @param waitMs the wait before the first probe, in ms; the delivery that failed last is not chosen for it */
export function openCircuitStatement(
  db: OutboxDatabase,
  tally: Tally,
  options: CircuitOptions,
  waitMs: number,
): SqlText {
  return sqlText`
    update keepsend_endpoints set circuit = 'open', probe_id = null, last_failed_id = ${tally.failed.at(-1)?.id ?? null},
      resume_at = ${resumeTime(db, waitMs)}
    where ${shouldOpen(tally, options)} and ${anyClaimIsCurrent(db, tally.failed)}`
}

export function circuitIsOpen({ endpointId, version }: Tally): SqlText {
  return sqlText`id = ${endpointId} and version = ${version} and circuit = 'open'`
}

/** Closes the circuit after a success. The held rows resume from now on, in batches. */
export function closeCircuitStatement(db: OutboxDatabase, tally: Tally): SqlText {
  return sqlText`
    update keepsend_endpoints set circuit = 'closed', probe_id = null, resume_at = ${resumeTime(db, 0)},
      failures_in_row = 0, timeouts_in_row = 0, window_at = null, window_failures = 0, window_successes = 0
    where ${circuitIsOpen(tally)} and ${anyClaimIsCurrent(db, tally.succeeded)}`
}

/** Ends a probe that did not succeed, so that the next one can be chosen, whatever version of the endpoint it read. */
export function endProbeStatement(db: OutboxDatabase, endpointId: string, claim: ClaimRef, waitMs: number): SqlText {
  return sqlText`
    update keepsend_endpoints set probe_id = null, resume_at = ${resumeTime(db, waitMs)}
    where id = ${endpointId} and circuit = 'open' and probe_id = ${claim.id} and ${anyClaimIsCurrent(db, [claim])}`
}

function resumeTime(db: OutboxDatabase, waitMs: number): SqlText {
  return notBeforePause(db, sqlText`${clock()} + cast(${waitMs} as bigint)`)
}

/** The condition under which an endpoint has failed for this part of `disableAfterMs` and was not warned of it yet. */
export function failingFor(tally: Tally, percent: number, { disableAfterMs }: CircuitOptions): SqlText {
  const since = raw(String(Math.ceil((disableAfterMs * percent) / 100)))
  return sqlText`${circuitIsOpen(tally)} and status = 'enabled' and failing_since <= ${clock()} - ${since}
    and warned < ${raw(String(percent))}`
}

export function warnStatement(db: OutboxDatabase, tally: Tally, percent: number, options: CircuitOptions): SqlText {
  return sqlText`
    update keepsend_endpoints set warned = ${raw(String(percent))}
    where ${failingFor(tally, percent, options)} and ${anyClaimIsCurrent(db, tally.failed)}`
}

/** Disables an endpoint that has failed for `disableAfterMs`: its rows are held until a person enables it. */
export function disableFailingStatement(db: OutboxDatabase, tally: Tally, options: CircuitOptions): SqlText {
  return sqlText`
    update keepsend_endpoints set status = 'disabled', disabled_reason = 'failing', disabled_at = ${clock()}, version = version + 1,
      warned = 100, resume_at = null, probe_id = null, updated_at = ${clock()}
    where ${failingFor(tally, 100, options)} and ${anyClaimIsCurrent(db, tally.failed)}`
}

/** Resets the endpoint's health and ends its pause; its held rows resume from now on. */
export function resetHealth(endpointId: string, only: SqlText = raw('1 = 1')): SqlText {
  return sqlText`
    update keepsend_endpoints set circuit = 'closed', probe_id = null, failing_since = null, warned = 0, ${END_PAUSE},
      failures_in_row = 0, timeouts_in_row = 0, window_at = null, window_failures = 0, window_successes = 0,
      resume_at = case when status = 'enabled' then ${clock()} end
    where id = ${endpointId} and ${only}`
}
