import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { attemptTime, firstIdAt } from '../history/attempt-id.ts'
import { SPAN_MS, type Span } from './spans.ts'
import { BIN_OF_ATTEMPT, COUNTS_OF_ATTEMPTS, NO_COUNTS, binsOf, countsOf } from './sums.ts'

// Attempts are added up in passes: attempts into minutes, minutes into hours, hours into days; on D1 attempts into hours, hours
// into days. Each pass goes through its source in the order of its key, and its row in keepsend_statistics_passes has the last
// key that was added up. The rows up to that key never change:
//
// pass      goes up to                                    because
// attempt   the last minute that has closed               ids rise with the time of the settle; see `closed`
// minute    the last :00, :10, … before the last attempt  the pass before it never returns to an earlier minute
// hour      the last day before the last minute           the same

/** A pass, and the sums that it adds to. */
export interface Pass {
  source: 'attempt' | 'minute' | 'hour'
  into: Span
  /** The pass that makes its source; undefined for the first. */
  after: Pass | undefined
}

/** A key of a source: an id of an attempt, or the time and the ids of a row of statistics. */
export interface Position {
  doneTo: string
  workspaceId: string
  endpointId: string
}

/** The next rows of a pass: from behind one key, which was added up last, to another. */
export interface Slice {
  rows: number
  from: Position
  until: Position
}

// The steps of a pass over sums. An open hour has its minutes up to the last ten: otherwise the figures of 50 endpoints would read
// up to 3,000 minutes.
const STEP_MS: Readonly<Record<Span, number>> = { ...SPAN_MS, hour: 10 * SPAN_MS.minute }

export function passesOf(spans: readonly Span[]): Pass[] {
  const passes: Pass[] = []
  for (const [index, into] of spans.entries()) {
    const source = index === 0 ? 'attempt' : spans[index - 1]
    if (source !== undefined && source !== 'day') passes.push({ source, into, after: passes.at(-1) })
  }
  return passes
}

/** The last key that a pass has added up. */
export function doneTo({ source }: Pick<Pass, 'source'>): SqlText {
  return sqlText`(select pass.done_to from keepsend_statistics_passes as pass where ${isOf({ source })})`
}

function isOf({ source }: Pick<Pass, 'source'>): SqlText {
  return sqlText`pass.source = ${raw(`'${source}'`)}`
}

/** The time up to which a pass has added up. */
export function doneTime({ dialect }: Pick<OutboxDatabase, 'dialect'>, pass: Pass): SqlText {
  return pass.source === 'attempt' ? attemptTime(dialect.name, doneTo(pass)) : doneTo(pass)
}

type FoundSlice = { rows: number } & Record<
  `${'from' | 'until'}${'DoneTo' | 'WorkspaceId' | 'EndpointId'}`,
  string | null
>

/** Finds the next rows of a pass, at most `limit`; undefined if there are none. */
export async function nextSlice(db: OutboxDatabase, pass: Pass, limit: number): Promise<Slice | undefined> {
  const { dialect } = db
  const ids = pass.source === 'attempt'
  const found = ids
    ? sqlText`
      select attempt.id as done_to, '' as workspace_id, '' as endpoint_id from keepsend_attempts as attempt
      where attempt.id > ${doneTo(pass)} and attempt.id < ${firstIdAt(dialect.name, closed(db, pass.into))}
      order by attempt.id ${dialect.first(limit)}`
    : sqlText`
      select sums.at as done_to, sums.workspace_id, sums.endpoint_id from keepsend_statistics as sums
      where sums.span = ${raw(`'${pass.source}'`)} and sums.at < ${floor(STEP_MS[pass.into], doneTime(db, pass.after ?? pass))}
        and sums.at >= ${doneTo(pass)} and ${isBehindPass(pass)}
      order by sums.at, sums.workspace_id, sums.endpoint_id ${dialect.first(limit)}`
  const { rows } = await db.run<FoundSlice>(sqlText`
    with slice as materialized (${found}),
    last as (select * from slice order by done_to desc, workspace_id desc, endpoint_id desc limit 1)
    select (select count(*) from slice) as "rows",
      cast(pass.done_to as text) as "fromDoneTo", pass.workspace_id as "fromWorkspaceId", pass.endpoint_id as "fromEndpointId",
      cast(last.done_to as text) as "untilDoneTo", last.workspace_id as "untilWorkspaceId", last.endpoint_id as "untilEndpointId"
    from last join keepsend_statistics_passes as pass on ${isOf(pass)}`)
  const [row] = rows
  return row && { rows: row.rows, from: positionOf(row, 'from'), until: positionOf(row, 'until') }
}

function positionOf(row: FoundSlice, end: 'from' | 'until'): Position {
  return {
    doneTo: row[`${end}DoneTo`] ?? '0',
    workspaceId: row[`${end}WorkspaceId`] ?? '',
    endpointId: row[`${end}EndpointId`] ?? '',
  }
}

/** Whether a row of `sums` at or after the last key of a pass is behind it: not added up yet. */
export function isBehindPass(pass: Pass): SqlText {
  return sqlText`(sums.at > ${doneTo(pass)} or (sums.workspace_id, sums.endpoint_id) > (
        select pass.workspace_id, pass.endpoint_id from keepsend_statistics_passes as pass where ${isOf(pass)}))`
}

/** The rows of a slice for {@link addStatement}; none if another process has moved the pass. */
export function rowsOf({ dialect }: Pick<OutboxDatabase, 'dialect'>, pass: Pass, { from, until }: Slice): SqlText {
  const stands = sqlText`exists (select 1 from keepsend_statistics_passes as pass where ${isAt(pass, from)})`
  const last = sqlText`cast(${until.doneTo} as bigint)`
  if (pass.source === 'attempt') {
    const at = begin(pass.into, attemptTime(dialect.name, raw('attempt.id')))
    return sqlText`
      select part.at, case when level.column1 < 2 then part.workspace_id else '' end as workspace_id,
        case when level.column1 = 0 then part.endpoint_id else '' end as endpoint_id, part.bin, part.n, ${countsOf('part')}
      from (
        select ${at} as at, attempt.workspace_id as workspace_id, attempt.endpoint_id as endpoint_id, ${BIN_OF_ATTEMPT} as bin,
          count(*) as n, ${COUNTS_OF_ATTEMPTS}
        from keepsend_attempts as attempt
        where attempt.id > ${doneTo(pass)} and attempt.id <= ${last} and ${stands}
        group by 1, 2, 3, 4) as part cross join (values (0), (1), (2)) as level`
  }
  return sqlText`
    select * from (
      with part as materialized (
        select ${begin(pass.into, raw('sums.at'))} as at, sums.workspace_id, sums.endpoint_id, ${countsOf('sums')}, sums.sketch
        from keepsend_statistics as sums
        where sums.span = ${raw(`'${pass.source}'`)} and sums.at >= ${doneTo(pass)} and ${isBehindPass(pass)}
          and sums.at <= ${last}
          and (sums.at < ${last} or (sums.workspace_id, sums.endpoint_id) <= (${until.workspaceId}, ${until.endpointId}))
          and ${stands})
      select at, workspace_id, endpoint_id, cast(null as bigint) as bin, 0 as n, ${countsOf('part')} from part
      union all
      select at, workspace_id, endpoint_id, cast(entry.key as bigint), cast(entry.value as bigint), ${NO_COUNTS}
      from part cross join ${binsOf(dialect.name, raw('part.sketch'))} as entry) as sliced`
}

/** Whether the row `pass` is at this key. */
export function isAt({ source }: Pass, { doneTo: at, workspaceId, endpointId }: Position): SqlText {
  return sqlText`source = ${raw(`'${source}'`)} and done_to = cast(${at} as bigint) and workspace_id = ${workspaceId} and endpoint_id = ${endpointId}`
}

/** The beginning of the minute, hour or day that a time lies in. */
export function begin(span: Span, ms: SqlText): SqlText {
  return floor(SPAN_MS[span], ms)
}

function floor(stepMs: number, ms: SqlText): SqlText {
  const step = raw(String(stepMs))
  return sqlText`((${ms}) / ${step} * ${step})`
}

// Beyond the time between the start of a statement and its lock. A clock of Postgres that steps back further loses attempts.
const LAG_MS = 30_000

/**
 * The end of the last minute or hour all of whose attempts are committed.
 *
 * SQLite: there is one writer, and the slice is read by the next one. Postgres: an id is the time at which its statement began,
 * so a settle that is slow to commit (a lock, a stalled process) may add attempts behind others. It holds a lock of the table
 * from that time on, and its transaction began earlier still: nothing from there on has closed, however long it takes.
 */
function closed({ dialect }: Pick<OutboxDatabase, 'dialect'>, span: Span): SqlText {
  return begin(span, dialect.name === 'postgres' ? COMMITTED_BEFORE : clock())
}

const COMMITTED_BEFORE = sqlText`least(${clock()} - ${raw(String(LAG_MS))}, (
        select min(cast(floor(extract(epoch from activity.xact_start) * 1000) as bigint))
        from pg_locks as held join pg_stat_activity as activity on activity.pid = held.pid
        where held.database = (select oid from pg_database where datname = current_database())
          and held.relation = cast('keepsend_attempts' as regclass) and held.mode = 'RowExclusiveLock'))`
