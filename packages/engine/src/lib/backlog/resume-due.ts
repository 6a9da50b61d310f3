import { type OutboxDatabase, type ResumedRow, type SqlResult, Transaction, resumeStatement } from '@keepsend/outbox'
import {
  type OptionNames,
  type SqlText,
  byId,
  clock,
  isLockTimeout,
  limitTo,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { checkBounds } from '../errors.ts'
import { firstHeld } from './first-held.ts'
import { lockEndpoints, lockedOf } from './locks.ts'
import { isPaused, notBeforePause } from './pause.ts'
import { type Probed, type Probing, addProbe } from './probe.ts'
import { type RatePeriod, spacingMs } from './rate-limit.ts'
import { JITTER } from '../retry-schedule.ts'

// Rows of an endpoint that one statement resumes; under a faster rate limit the others follow at the next time.
const MAX_BATCH = 10_000
const MAX_EVERY_MS = 60_000
// The shortest interval at which a rate-limited endpoint resumes rows.
const LIMITED_EVERY_MS = 250

export interface ResumeHeldOptions {
  /** Endpoints whose rows one call resumes: 1–1,000. @default 100 */
  limit?: number | undefined
  /**
   * Rows resumed of one endpoint: 1–10,000. Under a rate limit it is as many as the endpoint may get until its next time.
   *
   * @default 16
   */
  batch?: number | undefined
  /** The wait before the next batch of an endpoint, in ms: 1–60,000. @default 1000 */
  everyMs?: number | undefined
  /**
   * For a push queue: each row becomes due this long after its message should arrive, in ms: 0–3,600,000. The messages of rows
   * under a rate limit are spread out. Without it all rows are due now.
   */
  graceMs?: number | undefined
}

export const RESUME_HELD_OPTIONS = {
  limit: 'number',
  batch: 'number',
  everyMs: 'number',
  graceMs: 'number',
} satisfies OptionNames<ResumeHeldOptions>

/** @throws {EngineError} `invalid_option`, naming option, bound and value */
export function checkResumeHeldOptions({ limit = 1, batch = 1, everyMs = 1, graceMs = 0 }: ResumeHeldOptions): void {
  checkBounds('limit', limit, 1, 1000)
  checkBounds('batch', batch, 1, MAX_BATCH)
  checkBounds('everyMs', everyMs, 1, MAX_EVERY_MS)
  checkBounds('graceMs', graceMs, 0, 3_600_000)
}

/** A resumed row, to dispatch as a message. */
export interface ResumedDelivery extends Omit<ResumedRow, 'inMs'> {
  /** How long its message should wait, in ms. */
  delayMs: number
}

export interface ResumeHeldResult {
  resumed: ResumedDelivery[]
  /** The time until the next endpoint's rows can resume, in ms from now; null if there is none. */
  nextMs: number | null
}

interface ResumedEndpoints extends ResumeHeldResult {
  /** Endpoints whose pause has ended. */
  unpaused: string[]
}

interface Due extends Probed {
  circuit: 'closed' | 'open'
  rateLimit: number | null
  ratePeriod: RatePeriod
  /** Whether its row has the time of a pause, which has ended. */
  wasPaused: 0 | 1
}

/**
 * Resumes held rows of endpoints whose `resume_at` has come: a batch, oldest first, or one row as a probe while the circuit
 * is open; none before the end of a pause. `resume_at` is compared and set in the same transaction, so of two concurrent
 * processes one finds nothing to do. The next time is set before anything is sent, so a crash costs one interval.
 *
 * @param onlyId resumes the rows of this endpoint only
 */
export async function resumeHeld(
  db: OutboxDatabase,
  probing: Probing,
  { limit = 100, batch = 16, everyMs = 1000, graceMs }: ResumeHeldOptions = {},
  onlyId?: string,
): Promise<ResumedEndpoints> {
  const one = onlyId === undefined ? raw('') : sqlText`and id = ${onlyId}`
  const end = (which: 'oldestFirst' | 'newestFirst'): SqlText =>
    sqlText`case when circuit = 'open' then ${firstHeld(db, which)} end`
  const { rows: found } = await db.run<Due>(sqlText`
    select id as "id", circuit as "circuit", rate_limit as "rateLimit", rate_period as "ratePeriod",
      case when paused_until is null then 0 else 1 end as "wasPaused", resume_at as "resumeAt", ${clock()} as "now",
      last_failed_id as "failedId", ${end('oldestFirst')} as "oldestId", ${end('newestFirst')} as "newestId"
    from keepsend_endpoints where resume_at is not null ${one} order by resume_at, id ${limitTo(limit + 1)}`)
  const due = found.slice(0, limit).filter(({ resumeAt, now }) => resumeAt <= now)
  const rest = found[due.length]
  const nextMs = rest ? Math.max(0, rest.resumeAt - rest.now) : due.length > 0 ? everyMs : null
  if (due.length === 0) return { resumed: [], nextMs, unpaused: [] }

  const resumeEndpoints = async (endpoints: readonly Due[]): Promise<SqlResult<ResumedRow>[]> => {
    const transaction = new Transaction()
    const ids = endpoints.map(({ id }) => id)
    transaction.addAll(lockEndpoints(db, ids))
    const handles = endpoints.map((endpoint) =>
      endpoint.circuit === 'open'
        ? addProbe(transaction, db, endpoint, { ...probing, graceMs })
        : addBatch(transaction, db, endpoint, { batch, everyMs, graceMs }),
    )
    try {
      await transaction.commit(db)
      return handles
    } catch (error) {
      // Endpoints that another session has locked keep their time and are resumed by a later call; the others do not wait.
      const locked = isLockTimeout(error) ? await lockedOf(db, 'keepsend_endpoints', ids) : new Set()
      const others = endpoints.filter(({ id }) => !locked.has(id))
      if (locked.size === 0 || others.length === 0) throw error
      return resumeEndpoints(others)
    }
  }
  const resumed = await resumeEndpoints(due)
  const delayed = resumed
    .flatMap(({ rows }) => rows)
    .map(({ inMs, ...row }) => ({ ...row, delayMs: Math.max(0, inMs - (graceMs ?? 0)) }))
  const unpaused = due.filter(({ wasPaused, circuit }) => wasPaused === 1 && circuit === 'closed').map(({ id }) => id)
  return { resumed: delayed.sort(byId), nextMs, unpaused }
}

/** Resumes a batch of the endpoint's held rows and sets the time of the next batch. */
function addBatch(
  transaction: Transaction,
  db: OutboxDatabase,
  { id, resumeAt, rateLimit, ratePeriod, now }: Due,
  { batch, everyMs, graceMs }: { batch: number; everyMs: number; graceMs: number | undefined },
): SqlResult<ResumedRow> {
  let [limit, next, apartMs] = [batch, now + everyMs, 0]
  // Under a rate limit a batch has as many rows as the endpoint may get until its next time.
  if (rateLimit !== null) {
    const spacing = spacingMs(rateLimit, ratePeriod)
    if (graceMs === undefined) {
      limit = Math.min(MAX_BATCH, Math.ceil(LIMITED_EVERY_MS / spacing))
      // Counted from the time that was set, so that a late call delays no later one.
      next = Math.max(now, Math.floor(resumeAt + limit * spacing))
    } else {
      const interval = Math.ceil(Math.max(everyMs, spacing))
      limit = Math.min(MAX_BATCH, Math.floor(interval / spacing))
      next = now + interval
      apartMs = Math.ceil(spacing)
    }
  }
  // Guards the race of two processes: only the first finds the time that it read.
  const isUnchanged = sqlText`id = ${id} and resume_at = cast(${resumeAt} as bigint) and circuit <> 'open'`
  const guard = sqlText`exists (select 1 from keepsend_endpoints where ${isUnchanged} and status = 'enabled' and not ${isPaused()})`
  const resumed = transaction.add<ResumedRow>(
    resumeStatement(db, { endpointId: id, limit, guard, apartMs, afterMs: graceMs }),
  )
  // Removes a pause that has ended or that only a wrong clock can have written: rows published from now on are not held for it.
  transaction.add(sqlText`
      update keepsend_endpoints set resume_at = case
        when status = 'enabled' and ${firstHeld(db, 'oldestFirst')} is not null
        then ${notBeforePause(db, sqlText`cast(${next} as bigint)`)} end,
        paused_until = case when ${isPaused()} then paused_until end
      where ${isUnchanged}`)
  return resumed
}

/** Sets a time to resume for an endpoint that has none, so that its held rows do not wait forever. */
export function resumeWithin(db: OutboxDatabase, endpointId: string, inMs: number): SqlText {
  return sqlText`
    update keepsend_endpoints set resume_at = ${notBeforePause(db, sqlText`${clock()} + ${raw(String(inMs))}`)}
    where id = ${endpointId} and resume_at is null and status = 'enabled'`
}

/**
 * Resumes orphaned holds: makes those of these endpoints resume now that are enabled and have held rows, but no time to
 * resume, or one so far ahead that a wrong clock must have set it. Skips endpoints that another transaction has locked: that
 * one sets a time itself, or a later round finds them.
 */
export function scheduleOrphanedHolds(db: OutboxDatabase, ids: readonly string[], openMs: number): SqlText {
  const furthest = raw(String(Math.ceil(Math.max(openMs, MAX_EVERY_MS) * (1 + JITTER))))
  const isOrphaned = sqlText`status = 'enabled' and not ${isPaused()}
      and case when resume_at is null then true else resume_at > ${clock()} + ${furthest} end`
  const orphaned = sqlText`
    select id from keepsend_endpoints
    where id ${db.dialect.keys(ids)} and ${isOrphaned} and ${firstHeld(db, 'oldestFirst')} is not null
    order by id ${db.dialect.lock('pick', 'keepsend_endpoints')}`
  return sqlText`
    update keepsend_endpoints set resume_at = ${clock()}
    where id ${db.dialect.among(orphaned)} and ${isOrphaned}`
}
