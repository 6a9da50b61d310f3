import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, clock, joined, raw, sqlText } from '@keepsend/outbox/internal'
import { idTime } from '../history/attempt-id.ts'
import { upperId } from '../history/attempt-range.ts'
import { partitionBounds } from '../history/retained-attempts.ts'
import { type Pass, begin, doneTime, doneTo, isBehindPass, passesOf } from './passes.ts'
import { type SumsScope, oneOf, recentAttempts } from './recent-attempts.ts'
import { SPAN_MS, type Span, spansOf } from './spans.ts'
import { COUNT_NAMES, countsOf, statisticsRows } from './sums.ts'

/** Which times to read: whole minutes, hours or days. */
export interface SumsTimes {
  by: Span
  since: number
  /** Undefined: now. */
  until: number | undefined
  /** The most minutes, hours or days to read. */
  most: number
}

const NAMES = ['endpointId', 'at', ...COUNT_NAMES, 'sketch'] as const

/** The sums of an endpoint, or of all together, and of a time. There may be several for the same. */
export type Sums = Pick<ReturnType<typeof statisticsRows.read>, (typeof NAMES)[number]>

export interface FoundSums {
  /** The database's time. */
  now: number
  /** False if there are more attempts that no pass has added up than are read: the latest are missing. */
  complete: boolean
  sums: Sums[]
}

// One row has the time and the completeness, each other one sums: SQLite would write the sums to a table for a join of the two.
type FoundRow = Row & { now: number | null; complete: number | null }
const NO_SUMS = raw(NAMES.map((name) => `null as "${name}"`).join(', '))

/**
 * Reads the sums of some times, of shorter ones that are not in them yet, and of the attempts that are in none. It is one
 * statement, so it sees each attempt once, whatever a pass adds up meanwhile.
 */
export async function readSums(
  db: OutboxDatabase,
  scope: SumsScope,
  { by, since, until, most }: SumsTimes,
): Promise<FoundSums> {
  const { least } = db.dialect
  const spans = spansOf(db.dialect)
  const passes = passesOf(spans)
  const end = sqlText`${least}(${time(since + most * SPAN_MS[by])}, ${until === undefined ? sqlText`${clock()} + 1` : time(until)})`
  const range = { by, since: time(since), until: end }
  const bounds = await partitionBounds(db, {}, { since, upper: upperId(db.dialect, undefined, until) })
  const recent = recentAttempts(db, scope, { ...range, bounds })
  const levels = spans.slice(0, spans.indexOf(by) + 1).map((span) => {
    const pass = span === by ? undefined : passes.find(({ source }) => source === span)
    return { times: timesOf(db, span, range, pass), sums: sumsOf(db, span, scope, pass) }
  })
  const { rows } = await db.run<FoundRow>(sqlText`
    with recursive ${joined(
      levels.map(({ times }) => times),
      ',',
    )},
    ${recent.tables},
    found as (
      ${joined(
        levels.map(({ sums }) => sums),
        ' union all ',
      )}
      union all select endpoint_id, at, ${countsOf('recent_sums')}, sketch from recent_sums)
    select ${clock()} as "now", ${recent.isComplete} as "complete", ${NO_SUMS}
    union all select null, null, ${statisticsRows.some('found', NAMES)} from found`)
  const state = rows.find(({ now }) => now !== null)
  const found = rows.filter(({ now }) => now === null)
  return {
    now: state?.now ?? 0,
    complete: state?.complete === 1,
    sums: found.map((row) => statisticsRows.read<(typeof NAMES)[number]>(row)),
  }
}

/** The times of a span to look up; of one that a pass adds to longer ones, those that it has not finished. */
function timesOf(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  span: Span,
  { since, until }: { since: SqlText; until: SqlText },
  pass: Pass | undefined,
): SqlText {
  // The first that is left, by one look-up: a pass that never ran is at 0.
  const left = (from: SqlText): SqlText => sqlText`(
        select min(nearest.at) from keepsend_statistics as nearest where nearest.span = ${raw(`'${span}'`)} and nearest.at >= ${from})`
  const first = pass ? left(sqlText`${dialect.greatest}(${since}, ${doneTo(pass)})`) : since
  // No pass has made a later one.
  const last = pass?.after ? sqlText`${dialect.least}(${until}, ${doneTime({ dialect }, pass.after)} + 1)` : until
  const table = raw(`${span}s`)
  return sqlText`
    ${table} (at) as (
      select ${begin(span, first)} where ${first} < ${last}
      union all select at + ${raw(String(SPAN_MS[span]))} from ${table} where at + ${raw(String(SPAN_MS[span]))} < ${last})`
}

function sumsOf(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  span: Span,
  { workspaceId, endpoints }: SumsScope,
  pass: Pass | undefined,
): SqlText {
  const isLeft = pass ? sqlText`and ${isBehindPass(pass)}` : raw('')
  return sqlText`
      select sums.endpoint_id, sums.at, ${countsOf('sums')}, sums.sketch from keepsend_statistics as sums
      where sums.span = ${raw(`'${span}'`)} and sums.at ${dialect.among(raw(`select at from ${span}s`))}
        and sums.workspace_id = ${workspaceId ?? ''} and sums.endpoint_id ${oneOf(dialect, endpoints ?? '')} ${isLeft}`
}

function time(ms: number): SqlText {
  return sqlText`cast(${idTime(ms)} as bigint)`
}
