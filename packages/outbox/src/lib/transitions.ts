import type { Dialect } from './dialect.ts'
import { ATTEMPTS_EXHAUSTED, DELIVERY_UNCONFIRMED, MAX_FREE_CRASHES } from './row.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'

/**
 * The state machine of a row. Every SET list that moves one is here, for both dialects, because `gen`, status, hold
 * reason and due time move together. The statements beside it (`insert`, `take`, `settle-statement`, `hold`, `replay`,
 * `lease`, `expire`, `retry-now`, `give-up`, `cleanup`) say which rows they move.
 *
 * ```text
 *            enqueue: in its lane (`ready`), or waiting for a time
 *               │
 *               ▼   claim (lease, gen + 1)          complete
 *   ┌──────► pending ◄──────────────► pending ─────────────────► the row is deleted
 *   │           ▲     release, reschedule │  fail, or marked failed by a claim or sweep that finds
 *   │           │     (gen + 1)           │  its attempts exhausted
 *   │  resume   │                         ├────────────────────► failed ──┐
 *   │           │           hold          │                      ▲        │ clean-up deletes
 *   │          held ◄─────────────────────┘                      │        ▼
 *   │           ├── expire (also a pending row), orphaned ───────┤
 *   │           └── give up (also a pending row) ────────────────┘
 *   └──────────────────────── replay (attempts 0, gen + 1) ◄──── failed
 * ```
 *
 * `completed` rows are those that an earlier version left in the database: a replay and clean-up take them, too.
 *
 * There is no state `claimed`: a claim is a lease, stored in `due_at`, with `claimed_at` as its mark. A row whose lease
 * expired is due again, and the mark tells the next claim that a worker died on it.
 */

/** The fence of every statement that ends a claim: only the holder of the current `gen` settles. */
export const CLAIM_STANDS = raw(`id = claim_id and gen = claim_gen and status = 'pending'`)

/**
 * The condition of the index `pending_events_settled`, word for word: a statement that contains it uses that index,
 * which has no row before 1970.
 */
export const SETTLED = raw('coalesce(completed_at, -1) >= 0')

const MARKED = 'case when claimed_at is not null then 1 else 0 end'

// The first crashes do not count as attempts, so that a crash loop exhausts no innocent row.
const FREE_ATTEMPT = `case when claimed_at is not null and crashes < ${MAX_FREE_CRASHES} then 1 else 0 end`
const EXHAUSTED = raw(`attempts - ${FREE_ATTEMPT} >= max_attempts`)

// At most 256 leases: a row that sweeps find again and again is dispatched ever more rarely. But never longer than
// the age of the row, because no queue lags further behind: after an outage in which each tick sweeps and releases, a
// young row waits one lease.
const MAX_LEASE_DOUBLINGS = raw('8')

/** Takes a row under a lease, or marks it failed when its attempts are exhausted. */
export function takeSet(dialect: Dialect, as: 'claim' | 'sweep', leaseMs: number, now: SqlText): SqlText {
  const isClaim = as === 'claim'
  return sqlText`
      gen = gen + 1,
      ready = 0,
      crashes = crashes + ${raw(MARKED)},
      attempts = case when ${EXHAUSTED} then attempts else attempts - ${raw(FREE_ATTEMPT)} + ${raw(isClaim ? '1' : '0')} end,
      status = case when ${EXHAUSTED} then 'failed' else 'pending' end,
      due_at = case when ${EXHAUSTED} then null else ${now} + ${isClaim ? sqlText`${leaseMs}` : sweepLease(dialect, leaseMs, now)} end,
      claimed_at = ${isClaim ? sqlText`case when ${EXHAUSTED} then null else ${now} end` : raw('null')},
      completed_at = case when ${EXHAUSTED} then ${now} end,
      last_error = case
        when not (${EXHAUSTED}) then last_error
        when claimed_at is not null then ${raw(`'${DELIVERY_UNCONFIRMED}'`)}
        else coalesce(last_error, ${raw(`'${ATTEMPTS_EXHAUSTED}'`)})
      end`
}

/** The lease doubles with each move of the row: `gen` began at `created_at`. */
function sweepLease({ least, greatest }: Dialect, leaseMs: number, now: SqlText): SqlText {
  const moves = sqlText`cast(${greatest}(0, ${least}(gen - created_at, ${MAX_LEASE_DOUBLINGS})) as integer)`
  return sqlText`${least}(cast(${leaseMs} as bigint) * (1 << ${moves}),
        ${greatest}(cast(${leaseMs} as bigint), ${now} - created_at))`
}

/** Ends a claim with the values of its row in `move`: see {@link Move}. */
export function settleSet({ least, greatest }: Dialect, now: number | undefined): SqlText {
  // attempts: a claim has counted already (the row still has its mark), a queue consumer that only began has not.
  const dueAt = sqlText`coalesce(to_due_at, ${clock(now)} + coalesce(delay_ms, 0))`
  return sqlText`
      status = to_status,
      hold_reason = held_for,
      held_at = case when to_status = 'held' then ${clock(now)} end,
      attempts = ${least}(max_attempts, ${greatest}(0, attempts + counts - ${raw(MARKED)})),
      deferrals = deferrals + deferral,
      gen = gen + case when to_status in ('pending', 'held') then 1 else 0 end,
      due_at = case when to_status = 'pending' then ${dueAt} end,
      ready = case when to_status = 'pending' and ${dueAt} <= ${clock(now)} then 1 else 0 end,
      claimed_at = null,
      completed_at = case when to_status = 'failed' then ${clock(now)} end,
      last_error = coalesce(error, last_error),
      last_status = coalesce(http_status, last_status)`
}

/** The claim that a row had before {@link settleSet}, for `returning`. */
export const SETTLED_CLAIM = raw(`id, gen - case when status in ('pending', 'held') then 1 else 0 end as gen`)

/** Renews a lease, never shortens it. A row that was put in line because its lease had expired leaves the line. */
export function leaseSet({ greatest }: Dialect, leaseMs: number, now: number | undefined): SqlText {
  return sqlText`due_at = ${greatest}(due_at, ${clock(now)} + ${leaseMs}), ready = 0`
}

/** Holds a row that is not claimed. */
export function holdSet(reason: string, now?: number): SqlText {
  return sqlText`status = 'held', hold_reason = ${reason}, held_at = ${clock(now)}, gen = gen + 1, due_at = null, ready = 0`
}

/** Resumes a held row: in line, or due at a future time. */
export function resumeSet(dueAt: SqlText, now?: number): SqlText {
  return sqlText`status = 'pending', hold_reason = null, held_at = null, gen = gen + 1, due_at = ${dueAt},
    ready = case when ${dueAt} <= ${clock(now)} then 1 else 0 end`
}

/**
 * Puts a row that has become due in line. A claim of it, if there is one, stays current: a late settle counts, and the
 * next take counts the crash.
 */
export const LINE_UP = raw('ready = 1')

/** Ends a row that is not claimed. A message that names it is stale from here on. */
export function endSet(error: string, now?: number): SqlText {
  return sqlText`
      status = 'failed', hold_reason = null, held_at = null, gen = gen + 1, due_at = null, ready = 0, claimed_at = null,
      completed_at = ${clock(now)}, last_error = ${error}`
}

/** Makes an unsettled row due: the attempt of its claim, if there is one, does not count. */
export function retryNowSet({ greatest }: Pick<Dialect, 'greatest'>, dueAt: SqlText, now?: number): SqlText {
  return sqlText`${resumeSet(dueAt, now)}, attempts = ${greatest}(0, attempts - ${raw(MARKED)}), claimed_at = null`
}

/** Makes a settled row due now, or holds it for a reason. The times of its event applied to its first life alone. */
export function replaySet(holdFor: string | undefined, now: number | undefined): SqlText {
  const moved = holdFor === undefined ? resumeSet(clock(now), now) : holdSet(holdFor, now)
  return sqlText`${moved}, attempts = 0, deferrals = 0, crashes = 0, claimed_at = null, completed_at = null,
    replayed_at = ${clock(now)}, deliver_at = null, expires_at = null`
}
