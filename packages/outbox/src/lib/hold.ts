import type { OutboxDatabase } from './database.ts'
import { checkBounds } from './errors.ts'
import { checkOptions } from './option-names.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'
import { holdSet, resumeSet } from './transitions.ts'

// What one statement looks through: the head of the backlog, some milliseconds' work however many rows are behind it.
const HEAD = 1000

/**
 * Holds what is due for one endpoint among the first 1,000 rows that are due, so that they do not stand before every
 * other endpoint's rows claim after claim. No attempt counts, for none was claimed.
 *
 * @param guard holds on the caller's own tables; it may name columns of `pending_events`
 */
export function holdDueStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { endpointId, reason, guard }: { endpointId: string; reason: string; guard: SqlText },
): SqlText {
  return sqlText`
    with head as materialized (
      select id as head_id from pending_events
      where status = 'pending' and due_at is not null and due_at <= ${clock()}
      order by due_at, id ${dialect.first(HEAD)}),
    picked as materialized (
      select due.id as picked_id from pending_events as due
      where due.id ${dialect.among(raw('select head_id from head'))} and due.endpoint_id = ${endpointId}
        and due.claimed_at is null and due.status = 'pending'
      ${dialect.lock('pick', 'due')})
    update pending_events set ${holdSet(reason)}
    where id ${dialect.among(raw('select picked_id from picked'))}
      and case when status = 'pending' and claimed_at is null and due_at <= ${clock()} then true else false end
      and ${guard}`
}

export interface ResumeOptions {
  endpointId: string
  /** Rows at most, oldest event first: 1–10,000. */
  limit: number
  /** Must hold on the caller's own tables. @default it holds */
  guard?: SqlText | undefined
  /** The first is due so long from now, in ms: 0 or more. @default 0 */
  afterMs?: number | undefined
  /** Each is due so long after the one before, in ms: 0 or more. @default 0 */
  apartMs?: number | undefined
  /** The time to go by, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

/** A row that was resumed, for its message. */
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
 * Resumes the oldest held rows of an endpoint: pending under a new `gen`, due now or one after the other. Returns each
 * as a {@link ResumedRow}. Two that resume get disjoint rows.
 */
export function resumeStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, options: ResumeOptions): SqlText {
  checkOptions('resumeStatement', options)
  const { endpointId, limit, guard = raw('1 = 1'), afterMs = 0, apartMs = 0, now } = options
  checkBounds('limit', limit, 1, 10_000)
  checkBounds('afterMs', afterMs, 0, Number.MAX_SAFE_INTEGER)
  checkBounds('apartMs', apartMs, 0, Number.MAX_SAFE_INTEGER)
  const dueAt = sqlText`${clock(now)} + ${raw(String(afterMs))} + place * ${raw(String(apartMs))}`
  return sqlText`
    with picked as materialized (
      select held.id as picked_id from pending_events as held
      where held.status = 'held' and held.endpoint_id = ${endpointId} and ${guard}
      order by held.id ${dialect.first(limit)} ${dialect.lock('pick', 'held')}),
    placed as materialized (select picked_id, row_number() over (order by picked_id) - 1 as place from picked)
    update pending_events set ${resumeSet(dueAt)}
    from placed where id = picked_id and id ${dialect.among(raw('select picked_id from placed'))} and status = 'held'
    returning id, gen, event_type as "type", workspace_id as "workspaceId", endpoint_id as "endpointId",
      due_at - ${clock(now)} as "inMs"`
}

/**
 * Resumes those of a few rows that are held and meet the condition, due now. Rows are read by their keys: told that they
 * are held, Postgres would read every held row first, and evaluate the condition, with the locks it takes, for each.
 */
export function resumeNamedStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  ids: readonly string[],
  guard: SqlText,
): SqlText {
  return sqlText`
    update pending_events set ${resumeSet(clock())}
    where id ${dialect.among(dialect.list(ids))} and case when status = 'held' then ${guard} else false end`
}

/**
 * Resumes every held row that the condition names, due now: for an endpoint that is gone.
 * Like {@link resumeStatement} it is for a transaction of the caller's.
 */
export function resumeWhereStatement(which: SqlText): SqlText {
  return sqlText`update pending_events set ${resumeSet(clock())} where status = 'held' and ${which}`
}
