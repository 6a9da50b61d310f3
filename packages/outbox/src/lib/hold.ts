import type { OptionNames } from './options.ts'
import type { OutboxDatabase } from './database.ts'
import type { LaneRef } from './lane-ref.ts'
import { checkBounds, checkNames } from './errors.ts'
import { type SqlText, clock, limitTo, raw, sqlText } from './statement.ts'
import { endSet, holdSet, resumeSet } from './transitions.ts'

// Rows that one statement holds: some milliseconds of work, however many rows wait behind them.
const HEAD = 1000

/**
 * Holds the first 1,000 rows of a lane whose endpoint is blocked, so that claims do not take them one by one. No
 * attempt counts, because the rows were not claimed. A row whose worker died is skipped: the next claim counts the
 * crash.
 *
 * @param guard a condition on the caller's own tables; it may name columns of `pending_events`
 */
export function holdLaneStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { workspaceId, endpointId, reason, guard }: LaneRef & { reason: string; guard: SqlText },
): SqlText {
  const picked = dialect.pickLanes([{ workspaceId, endpointId, count: HEAD }])
  return sqlText`
    ${picked.with} update pending_events set ${holdSet(reason)}
    where ${picked.where} and claimed_at is null and ${guard}`
}

export interface ResumeOptions {
  endpointId: string
  /** Rows at most, oldest event first: 1–10,000. */
  limit: number
  /** A condition on the caller's own tables that must hold. @default none */
  guard?: SqlText | undefined
  /** The first row is due this long from now, in ms: 0 or more. @default 0 */
  afterMs?: number | undefined
  /** Each further row is due this long after the one before, in ms: 0 or more. @default 0 */
  apartMs?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const RESUME_OPTIONS = {
  endpointId: 'text',
  limit: 'number',
  guard: 'any',
  afterMs: 'number',
  apartMs: 'number',
  now: 'number',
} satisfies OptionNames<ResumeOptions>

/** A resumed row, to be dispatched. */
export interface ResumedRow {
  id: string
  gen: number
  type: string
  workspaceId: string
  endpointId: string
  /** When it is due, in ms from now. */
  inMs: number
}

/**
 * Resumes the oldest held rows of an endpoint: pending under a new `gen`, due now or spaced in time. Returns each as a
 * {@link ResumedRow}. Concurrent resumes get disjoint rows.
 */
export function resumeStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, options: ResumeOptions): SqlText {
  checkNames('resumeStatement', RESUME_OPTIONS, options)
  const { endpointId, limit, guard = raw('1 = 1'), afterMs = 0, apartMs = 0, now } = options
  checkBounds('limit', limit, 1, 10_000)
  checkBounds('afterMs', afterMs, 0, Number.MAX_SAFE_INTEGER)
  checkBounds('apartMs', apartMs, 0, Number.MAX_SAFE_INTEGER)
  const held = dialect.heldOf(sqlText`${endpointId}`)
  const dueAt = sqlText`${clock(now)} + ${raw(String(afterMs))} + place * ${raw(String(apartMs))}`
  return sqlText`
    with picked as materialized (
      select held.id as picked_id from pending_events as held ${dialect.by('pending_events_held')}
      where ${held.where} and ${guard}
      order by ${held.oldestFirst} ${dialect.first(limit)} ${dialect.lock('pick', 'held')}),
    placed as materialized (select picked_id, row_number() over (order by picked_id) - 1 as place from picked)
    update pending_events set ${resumeSet(dueAt, now)}
    from placed where id = picked_id and id ${dialect.among(raw('select picked_id from placed'))} and status = 'held'
    returning id, gen, event_type as "type", workspace_id as "workspaceId", endpoint_id as "endpointId",
      due_at - ${clock(now)} as "inMs"`
}

/**
 * Resumes those of a few rows that are held and meet the condition, due now. Rows are read by their keys: with `status
 * = 'held'` in the condition, Postgres would first read every held row, and evaluate the condition with its locks for
 * each.
 */
export function resumeNamedStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  ids: readonly string[],
  guard: SqlText,
): SqlText {
  return sqlText`
    update pending_events set ${resumeSet(clock())}
    where id ${dialect.keys(ids)} and case when status = 'held' then ${guard} else false end`
}

export interface FailHeldOptions {
  endpointId: string
  /** The value of `last_error`. */
  error: string
  /** Rows at most, oldest event first: 1–10,000. */
  limit: number
}

export const FAIL_HELD_OPTIONS = {
  endpointId: 'text',
  error: 'text',
  limit: 'number',
} satisfies OptionNames<FailHeldOptions>

/**
 * Fails the oldest held rows of an endpoint that is gone, under a new `gen`, because nothing would resume them.
 * Concurrent calls get disjoint rows.
 */
export function failHeldStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, options: FailHeldOptions): SqlText {
  checkNames('failHeldStatement', FAIL_HELD_OPTIONS, options)
  const { endpointId, error, limit } = options
  checkBounds('limit', limit, 1, 10_000)
  const { where, oldestFirst } = dialect.heldOf(sqlText`${endpointId}`)
  const picked = dialect.pick({ where, by: 'pending_events_held', order: oldestFirst, limit })
  return sqlText`${picked.with} update pending_events set ${endSet(error)} where ${picked.where}`
}

/**
 * Returns endpoints that have held rows, in the order of their ids, after the position that {@link lookOnBehind}
 * stored. One look-up per endpoint, however many rows. The position is in the database, because a Worker may live for
 * one call only.
 */
export async function endpointsWithHeldRows(db: OutboxDatabase, { limit }: { limit: number }): Promise<string[]> {
  const { rows } = await db.run<{ id: string }>(heldEndpointsStatement(db, { limit }))
  return rows.map(({ id }) => id)
}

/**
 * Stores the endpoint after which the next {@link endpointsWithHeldRows} continues; `''` starts again. Writes nothing
 * if it is stored already.
 */
export async function lookOnBehind(db: OutboxDatabase, endpointId: string): Promise<void> {
  await db.run(sqlText`
    update keepsend_sweep_pass set held_after_id = ${endpointId} where coalesce(held_after_id, '') <> ${endpointId}`)
}

export function heldEndpointsStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { limit }: { limit: number },
): SqlText {
  const after = raw(`coalesce((select held_after_id from keepsend_sweep_pass), '')`)
  const next = (behind: SqlText): SqlText => sqlText`(
      select endpoint_id from pending_events ${dialect.by('pending_events_held')}
      where status = 'held' and endpoint_id > ${behind} order by endpoint_id, id limit 1)`
  return sqlText`
    with recursive holder (id) as (
      select ${next(after)}
      union all
      select ${next(raw('holder.id'))} from holder where holder.id is not null)
    select id as "id" from holder where id is not null ${limitTo(limit)}`
}
