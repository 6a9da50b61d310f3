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
 * When an endpoint counts as broken, and what becomes of it:
 *
 * ```text
 *      too many failures or time-outs                 failing for `disableAfterMs`
 *   closed ───────────────────────► open ─────────────────────────────────────────► disabled
 *      ▲                            │  ▲                                               │
 *      └──── an attempt succeeds ───┘  └─ every `openMs` one held row goes: a probe     │
 *      └──────────────────────────────── a person enables it ──────────────────────────┘
 * ```
 *
 * All of it is in the database, so a restart forgets nothing and processes agree. While the circuit is open its rows are
 * held, and no attempt is charged to them; the probe is an attempt like any other.
 */
export interface CircuitOptions {
  /** The part of attempts that must have failed, from 0.01 to 1. @default 0.7 */
  failureRate: number
  /** Of at least so many attempts: 1–10,000. @default 10 */
  minAttempts: number
  /** Counted from the first failure for this long, in ms: 1,000–86,400,000. @default 300_000 (5 minutes) */
  windowMs: number
  /** Or so many failures one after the other, whatever the time: 1–10,000. @default 10 */
  failuresInRow: number
  /** Or so many attempts one after the other that ended at their deadline: 1–10,000. @default 3 */
  timeoutsInRow: number
  /** The wait before each probe, in ms, and up to a tenth more: 1,000–86,400,000. @default 60_000 */
  openMs: number
  /** Failing without a success for so long disables the endpoint, in ms: 60,000–31,536,000,000. @default 432_000_000 (5 days) */
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

/** An endpoint's health as it stands in the database. */
export interface Health {
  circuit: 'closed' | 'open'
  /** The one delivery that may go while the circuit is open. */
  probeId: string | null
  /** The first failure since the last success. */
  failingSince: number | null
  /** The last warning that was given, in percent of the way to being disabled. */
  warned: number
  failuresInRow: number
  windowAt: number | null
  windowFailures: number
}

/** Whether a success would change anything: a healthy endpoint writes nothing. */
export function isFailing({ circuit, failingSince, windowAt, windowFailures }: Health, now: number, windowMs: number) {
  const inWindow = windowAt !== null && windowAt > now - windowMs && windowFailures > 0
  return circuit === 'open' || failingSince !== null || inWindow
}

/** Attempts of one endpoint, at one version of it, that are settled together. */
export interface Tally {
  endpointId: string
  version: number
  failed: readonly ClaimRef[]
  succeeded: readonly ClaimRef[]
  /** Failures after the last success; all of them if there was none. */
  trailing: number
  /** Those of `failed` that ended without an answer, at their deadline. */
  timedOut: readonly ClaimRef[]
  /** All others, also those that are neither a success nor a failure. */
  answered: readonly ClaimRef[]
  /** Time-outs after the last answer. */
  trailingTimeouts: number
}

/** Which of the claims, or of held rows, still stand, as rows of `delivery`. A lost settle must change nothing around it either. */
function standing(db: OutboxDatabase, claims: readonly ClaimRef[]): SqlText {
  // The first list finds the rows by their key, the second knows them by their gen.
  return sqlText`pending_events as delivery where delivery.completed_at is null
    and delivery.id ${db.dialect.keys(claims.map(({ id }) => id))}
    and delivery.id || '#' || delivery.gen ${db.dialect.oneOf(claims.map(({ id, gen }) => `${id}#${gen}`))}`
}

export function anyClaimStands(db: OutboxDatabase, claims: readonly ClaimRef[]): SqlText {
  return sqlText`exists (select 1 from ${standing(db, claims)})`
}

function howManyStand(db: OutboxDatabase, claims: readonly ClaimRef[]): SqlText {
  return claims.length === 0 ? raw('0') : sqlText`(select cast(count(*) as integer) from ${standing(db, claims)})`
}

/** Adds what came of attempts to the endpoint's counters. */
export function recordAttemptsStatement(db: OutboxDatabase, tally: Tally, { windowMs }: CircuitOptions): SqlText {
  const { endpointId, version, failed, succeeded, trailing, timedOut, answered, trailingTimeouts } = tally
  const expired = sqlText`(window_at is null or window_at <= ${clock()} - ${raw(String(windowMs))})`
  const trail = sqlText`cast(${trailing} as integer)`
  const anew = sqlText`case when failed > 0 and ${trail} > 0`
  return sqlText`
    update keepsend_endpoints set
      failing_since = case when succeeded = 0 then coalesce(failing_since, case when failed > 0 then ${clock()} end)
        else ${anew} then ${clock()} end end,
      failures_in_row = case when succeeded = 0 then failures_in_row + failed else ${anew} then ${trail} else 0 end end,
      timeouts_in_row = case when answered = 0 then timeouts_in_row + timed_out
        when timed_out > 0 then cast(${trailingTimeouts} as integer) else 0 end,
      warned = case when succeeded = 0 then warned else 0 end,
      window_at = case when not ${expired} then window_at when failed > 0 then ${clock()} end,
      window_failures = case when ${expired} then failed else window_failures + failed end,
      window_successes = case when not ${expired} then window_successes + succeeded when failed > 0 then succeeded else 0 end
    from (select ${howManyStand(db, failed)} as failed, ${howManyStand(db, succeeded)} as succeeded,
      ${howManyStand(db, timedOut)} as timed_out, ${howManyStand(db, answered)} as answered) as counted
    where id = ${endpointId} and version = ${version} and timed_out + answered > 0`
}

/** Whether the counters, as they stand now, open a closed circuit. */
export function shouldOpen({ endpointId, version }: Tally, options: CircuitOptions): SqlText {
  const { failuresInRow, timeoutsInRow, minAttempts, failureRate } = options
  return sqlText`id = ${endpointId} and version = ${version} and status = 'enabled' and circuit <> 'open' and (
    failures_in_row >= ${raw(String(failuresInRow))}
    or timeouts_in_row >= ${raw(String(timeoutsInRow))}
    or (window_failures + window_successes >= ${raw(String(minAttempts))}
      and window_failures >= (window_failures + window_successes) * ${raw(String(failureRate))}))`
}

/** @param waitMs until the first probe, which is none of those that have failed last */
export function openCircuitStatement(
  db: OutboxDatabase,
  tally: Tally,
  options: CircuitOptions,
  waitMs: number,
): SqlText {
  return sqlText`
    update keepsend_endpoints set circuit = 'open', probe_id = null, last_failed_id = ${tally.failed.at(-1)?.id ?? null},
      resume_at = ${wakeIn(db, waitMs)}
    where ${shouldOpen(tally, options)} and ${anyClaimStands(db, tally.failed)}`
}

export function circuitIsOpen({ endpointId, version }: Tally): SqlText {
  return sqlText`id = ${endpointId} and version = ${version} and circuit = 'open'`
}

/** Back to closed by success; what is held for it is let out from now on, in batches. */
export function closeCircuitStatement(db: OutboxDatabase, tally: Tally): SqlText {
  return sqlText`
    update keepsend_endpoints set circuit = 'closed', probe_id = null, resume_at = ${wakeIn(db, 0)},
      failures_in_row = 0, timeouts_in_row = 0, window_at = null, window_failures = 0, window_successes = 0
    where ${circuitIsOpen(tally)} and ${anyClaimStands(db, tally.succeeded)}`
}

/** A probe that did not succeed makes room for the next one, whatever version it read. */
export function endProbeStatement(db: OutboxDatabase, endpointId: string, claim: ClaimRef, waitMs: number): SqlText {
  return sqlText`
    update keepsend_endpoints set probe_id = null, resume_at = ${wakeIn(db, waitMs)}
    where id = ${endpointId} and circuit = 'open' and probe_id = ${claim.id} and ${anyClaimStands(db, [claim])}`
}

function wakeIn(db: OutboxDatabase, waitMs: number): SqlText {
  return notBeforePause(db, sqlText`${clock()} + cast(${waitMs} as bigint)`)
}

/** Whether it has failed for that part of the time after which it is disabled, and has not been warned of it. */
export function failingFor(tally: Tally, percent: number, { disableAfterMs }: CircuitOptions): SqlText {
  const since = raw(String(Math.ceil((disableAfterMs * percent) / 100)))
  return sqlText`${circuitIsOpen(tally)} and status = 'enabled' and failing_since <= ${clock()} - ${since}
    and warned < ${raw(String(percent))}`
}

export function warnStatement(db: OutboxDatabase, tally: Tally, percent: number, options: CircuitOptions): SqlText {
  return sqlText`
    update keepsend_endpoints set warned = ${raw(String(percent))}
    where ${failingFor(tally, percent, options)} and ${anyClaimStands(db, tally.failed)}`
}

/** Its rows are held from now on, until a person enables it. */
export function disableFailingStatement(db: OutboxDatabase, tally: Tally, options: CircuitOptions): SqlText {
  return sqlText`
    update keepsend_endpoints set status = 'disabled', disabled_reason = 'failing', disabled_at = ${clock()}, version = version + 1,
      warned = 100, resume_at = null, probe_id = null, updated_at = ${clock()}
    where ${failingFor(tally, 100, options)} and ${anyClaimStands(db, tally.failed)}`
}

/** As if it had never failed and was not paused; what is held for it is let out from now on. */
export function resetHealth(endpointId: string, only: SqlText = raw('1 = 1')): SqlText {
  return sqlText`
    update keepsend_endpoints set circuit = 'closed', probe_id = null, failing_since = null, warned = 0, ${END_PAUSE},
      failures_in_row = 0, timeouts_in_row = 0, window_at = null, window_failures = 0, window_successes = 0,
      resume_at = case when status = 'enabled' then ${clock()} end
    where id = ${endpointId} and ${only}`
}
