import type { OutboxDatabase } from '@keepsend/outbox'
import { type OptionNames, type Row, type SqlText, allOf, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { EngineError, checkOneOf } from '../errors.ts'
import type { Page } from '../page.ts'
import { MAX_TIME, TIME_RANGE, type TimeRange, checkTimes } from '../time-range.ts'
import {
  type EndpointProblem,
  PROBLEM_STATES,
  type ProblemKey,
  type ProblemState,
  problemKeyOf,
  problemRows,
  toProblem,
} from './endpoint-problem.ts'

/** `since` and `until` mean the time at which a problem was last seen. */
export interface ProblemFilter extends TimeRange {
  /** Problems of a page: 1–1,000. */
  limit: number
  /** The `next` of the page before. */
  before?: string | undefined
  state?: ProblemState | undefined
  endpointId?: string | undefined
}

export const PROBLEM_FILTER = {
  limit: 'number',
  before: 'text',
  state: 'text',
  endpointId: 'text',
  ...TIME_RANGE,
} satisfies OptionNames<ProblemFilter>

// Rows that a page reads at most, where it compares the state row by row.
const MAX_READ = 2000

/**
 * Reads a page of problems, the last seen first.
 *
 * @param workspaceId undefined: of all workspaces
 */
export async function listProblems(
  db: OutboxDatabase,
  workspaceId: string | undefined,
  { retentionMs, limit, state, ...filter }: ProblemFilter & { retentionMs: number },
): Promise<Page<EndpointProblem>> {
  checkTimes(filter)
  checkOneOf('state', state, PROBLEM_STATES)
  const most = state === undefined ? limit + 1 : MAX_READ
  const { ctes, from, where, order } = rowsOf(db, workspaceId, {
    ...filter,
    lowest: sqlText`${clock()} - ${retentionMs}`,
  })
  // The last row that was read is selected too, whatever its state: the next page begins after it.
  const { rows } = await db.run<Row & { nth: number }>(sqlText`
    with ${ctes} found as materialized (
      select ${problemRows.except([], 'problem')} from ${from}
      where ${where} order by ${order} ${db.dialect.first(most)}),
    numbered as (
      select found.*, row_number() over (
        order by "lastSeenAt" desc, "endpointId" desc, "errorClass" desc, coalesce("httpStatus", 0) desc) as nth
      from found)
    select * from numbered where ${state === undefined ? raw('nth > 0') : sqlText`(state = ${state} or nth = ${raw(String(most))})`}
    order by nth ${db.dialect.first(limit + 1)}`)
  const reached = rows.find(({ nth }) => nth === most)
  const read = rows.map(({ nth: _, ...row }) => toProblem(row))
  const matching = read.filter((problem) => state === undefined || problem.state === state)
  const shown = matching.slice(0, limit)
  if (matching.length > limit) return { rows: shown, next: cursorOf(shown.at(-1)), complete: true }
  const next = reached && cursorOf(read.at(-1))
  return { rows: shown, next, complete: next === undefined }
}

/**
 * Reads a page of the problems of a workspace, the last seen last: one that moves to the end of the list meanwhile is read again, and
 * none is passed over.
 */
export async function listOldestProblems(
  db: OutboxDatabase,
  workspaceId: string,
  { limit, ...filter }: TimeRange & { limit: number; after: string | undefined },
): Promise<{ rows: EndpointProblem[]; next: string | undefined }> {
  const { from, where, order } = rowsOf(db, workspaceId, { ...filter, lowest: raw('0') }, 'asc')
  const { rows } = await db.run(sqlText`
    select ${problemRows.except([], 'problem')} from ${from} where ${where} order by ${order} ${db.dialect.first(limit)}`)
  const problems = rows.map(toProblem)
  return { rows: problems, next: rows.length === limit ? cursorOf(problems.at(-1)) : undefined }
}

/** The position of a problem: it moves to the beginning of the list with each failed attempt. */
function cursorOf(problem: EndpointProblem | undefined): string | undefined {
  return problem && `${problem.id}.${problem.lastSeenAt}`
}

function positionOf(cursor: string): SqlText {
  const [lastSeenAt, endpoint, errorClass, httpStatus] = readCursor(cursor)
  return sqlText`${clock(lastSeenAt)}, cast(${endpoint} as text), cast(${errorClass} as text), cast(${httpStatus} as integer)`
}

function readCursor(before: string): readonly [lastSeenAt: number, ...key: ProblemKey] {
  const [, id = '', lastSeenAt] = /^(.+)\.(\d{1,15})$/.exec(before) ?? []
  const key = problemKeyOf(id)
  if (!key) throw new EngineError('invalid_request', `before must be the next of an earlier page; found ${before}`)
  return [Number(lastSeenAt), ...key]
}

const SEEN = raw('problem.last_seen_at')
const KEY = raw('problem.last_seen_at, problem.endpoint_id, problem.error_class, problem.http_status')
const ORDER = {
  desc: raw('problem.last_seen_at desc, problem.endpoint_id desc, problem.error_class desc, problem.http_status desc'),
  asc: KEY,
}
const NOTHING = raw('')

/** The rows of a list, by the one index that has them in its order. */
function rowsOf(
  { dialect }: OutboxDatabase,
  workspaceId: string | undefined,
  {
    before,
    after,
    endpointId,
    since = 0,
    until = MAX_TIME,
    lowest,
  }: Omit<ProblemFilter, 'limit' | 'state'> & { after?: string | undefined; lowest: SqlText },
  direction: 'desc' | 'asc' = 'desc',
): { ctes: SqlText; from: SqlText; where: SqlText; order: SqlText } {
  // On Postgres a range of workspace and position: for `=` the planner may read the index of all workspaces.
  const isRange = workspaceId !== undefined && endpointId === undefined && dialect.name === 'postgres'
  const compare = (columns: SqlText, operator: '<' | '>' | '>=', values: SqlText): SqlText =>
    isRange
      ? sqlText`(problem.workspace_id, ${columns}) ${raw(operator)} (cast(${workspaceId} as text), ${values})`
      : sqlText`(${columns}) ${raw(operator)} (${values})`
  const conditions = [
    compare(SEEN, '>=', sqlText`${dialect.greatest}(${lowest}, ${clock(since)})`),
    compare(SEEN, '<', clock(until)),
  ]
  if (before !== undefined) conditions.push(compare(KEY, '<', positionOf(before)))
  if (after !== undefined) conditions.push(compare(KEY, '>', positionOf(after)))
  if (workspaceId !== undefined && !isRange) conditions.push(sqlText`problem.workspace_id = ${workspaceId}`)
  const where = allOf(conditions)
  if (endpointId !== undefined) {
    // An endpoint has few problems: the primary key finds them, and they are sorted.
    const ctes = sqlText`of_endpoint as materialized (select * from keepsend_problems where endpoint_id = ${endpointId}),`
    return { ctes, from: raw('of_endpoint as problem'), where, order: ORDER[direction] }
  }
  const index = workspaceId === undefined ? 'keepsend_problems_seen' : 'keepsend_problems_workspace'
  const order = isRange ? sqlText`problem.workspace_id ${raw(direction)}, ${ORDER[direction]}` : ORDER[direction]
  return { ctes: NOTHING, from: sqlText`keepsend_problems as problem ${dialect.by(index)}`, where, order }
}
