import type { OutboxDatabase } from './database.ts'
import type { EventStatus } from './row.ts'
import type { Which } from './dialect.ts'
import { eventRange } from './row-id.ts'
import { type SqlText, allOf, joined, raw, sqlText } from './statement.ts'

/**
 * Rows that one query for a list reads from each of its parts at most; it ends as soon as the page is full. A page that
 * ends there is incomplete.
 */
const MAX_LOOKED = 2000

export interface FindOptions {
  /** Undefined: all workspaces, by `keys` or an event. */
  workspaceId: string | undefined
  /** Rows below this key. */
  before: string
  /** Rows above this key; all of them if it is left out. */
  after?: string | undefined
  /**
   * Where to look.
   *
   * - `at-rest`: the index of settled rows, held rows and rows that wait after a failure or for their `deliver_at`.
   * - `parts`: that index, the lanes, and the rows that are due first, because rows in flight are in no index of their
   *   workspace. A row may be found twice; rows that were dispatched to a queue are not found.
   * - `keys`: the keys of every workspace, newest first.
   * - `workspace`: the optional index `pending_events_workspace`.
   * - an event: its rows.
   */
  by: 'at-rest' | 'parts' | 'keys' | 'workspace' | { eventId: string }
  /** Of the lanes, only this one. */
  endpointId?: string | undefined
  /** Only rows with this status are shown: `completed` ones are found without reading others, if there are none. */
  status?: EventStatus | undefined
  /** Rows that the caller shows. */
  rows: number
  /** It shows all that are found, only those that meet a condition on a row of `pending_events`, or some. */
  shows: 'all' | 'some' | { if: SqlText }
}

/** One source of rows: the tables that it needs, its ids, and the last id of a part that may have more. */
interface Part {
  tables?: SqlText[]
  ids: SqlText
  last: SqlText
}

/** The condition of the index `pending_events_at_rest`, term by term, because SQLite compares the terms. */
const AT_REST = raw(
  `ready = 0 and claimed_at is null and (status <> 'pending' or last_error is not null or deliver_at is not null)`,
)

/**
 * `with …`, whose last tables are `found (id)`, the newest rows of a workspace, and `reached (id, complete)`: all rows
 * from that id on have been found, or every row if it is ''; `complete` is 0 where rows in flight may be missing. It
 * reads only what it finds, however many rows other workspaces have.
 */
export function findStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, options: FindOptions): SqlText {
  const { by, workspaceId } = options
  const only = workspaceId === undefined ? [] : [workspaceId]
  const lanes = by === 'parts' && dialect.lanes({ after: '', only, workspaces: 1, endpoints: MAX_LANES, behind: {} })
  const parts = partsOf(dialect, options)
  const isSeen =
    by === 'parts' ? raw(`(select case when count(*) < ${MAX_LOOKED} then 1 else 0 end from due_first)`) : raw('1')
  const union = (selects: SqlText[]): SqlText => joined(selects, '\n      union all ')
  const tables = [
    ...parts.flatMap(({ tables: needed = [] }) => needed),
    sqlText`found (id) as materialized (${union(parts.map(({ ids }) => ids))})`,
    sqlText`ends (last) as (${union(parts.map(({ last }) => last))})`,
    sqlText`reached (id, complete) as materialized (select coalesce(max(last), ''), ${isSeen} from ends)`,
  ]
  return sqlText`${lanes ? sqlText`${lanes},` : raw('with')} ${joined(tables, ',\n    ')}`
}

// As many endpoints as a workspace may have.
const MAX_LANES = 10_000

/** Length of `evt_` and the time in a UUIDv7. A '-' follows in each id, and '.' sorts after it. */
const MILLISECOND_LENGTH = 17

/**
 * The key of a row that may be another workspace's would appear in the caller's cursor. So the part ends at the millisecond of that
 * row, and the next page finds the rows of that millisecond again. Only if a millisecond has more rows than one query reads, it
 * ends at the row itself.
 */
function endOfMillisecond(before: string): SqlText {
  const millisecond = raw(`substr(min(id), 1, ${MILLISECOND_LENGTH}) || '.'`)
  return sqlText`case when ${millisecond} < ${before} then ${millisecond} else min(id) end`
}

/** A range of rows, in the order of an index. */
type Range = Pick<Which, 'where' | 'by' | 'order'> & {
  /** A further condition, compared row by row. */
  isOwn?: SqlText
  /** The cursor behind the last row that was read, if that is not shown. */
  end?: SqlText
}

const LAST = raw(String(MAX_LOOKED))

/** The first rows of a range that the caller shows, and the last that is read. */
function partOf(
  dialect: OutboxDatabase['dialect'],
  { where, by, order = raw('id desc'), isOwn = raw('1 = 1'), end = raw('min(id)') }: Range,
  { rows, shows }: Pick<FindOptions, 'rows' | 'shows'>,
): Part {
  const most = shows === 'some' ? MAX_LOOKED : rows
  const isShown = typeof shows === 'object' ? allOf([isOwn, shows.if]) : isOwn
  const index = by ? dialect.by(by) : raw('')
  return {
    tables: [
      // Nested: SQLite would read all rows of a table that is named, and not end when the page is full.
      sqlText`looked (id, is_shown, nth) as materialized (
      select id, is_shown, nth from (
        select id, is_shown, row_number() over () as nth from (
          select id, ${isShown} as is_shown from pending_events ${index}
          where ${where} order by ${order} ${dialect.first(MAX_LOOKED)}) as passed) as numbered
      where is_shown or nth = ${LAST} ${dialect.first(most)})`,
    ],
    ids: raw('select id from looked where is_shown'),
    last: sqlText`
      select case when count(case when is_shown then 1 end) = ${raw(String(most))} then min(id)
        when max(nth) = ${LAST} then ${end} end from looked`,
  }
}

/**
 * Above which key rows are read: if completed ones are asked for and there are none, above all. Only a database of an earlier
 * version has some; theirs is the first status of the index.
 */
function lowestKey(dialect: OutboxDatabase['dialect'], { status, before, after = '' }: FindOptions): string | SqlText {
  if (status !== 'completed') return after
  return sqlText`case (
        select settled.status from pending_events as settled ${dialect.by('pending_events_settled')}
        where coalesce(settled.completed_at, -1) >= 0
        order by settled.status, settled.completed_at, settled.id ${dialect.first(1)})
      when 'completed' then ${after} else ${before} end`
}

function partsOf(dialect: OutboxDatabase['dialect'], options: FindOptions): Part[] {
  const { by, workspaceId, before, after } = options
  // The rows of an event all have its time: they are in the range, or none is.
  if (typeof by === 'object') {
    // Those of another workspace that used the id are bounded by its endpoints, and no key of theirs is shown.
    const isOwn = workspaceId === undefined ? raw('') : sqlText`and workspace_id = ${workspaceId}`
    const range = eventRange(by.eventId, after !== undefined && by.eventId < after ? '' : before)
    return [partOf(dialect, { where: sqlText`${range} ${isOwn}` }, options)]
  }
  const lowest = lowestKey(dialect, options)
  const keys = { where: sqlText`id < ${before} and id > ${lowest}` }
  if (workspaceId === undefined) return [partOf(dialect, keys, options)]
  if (by !== 'keys') return partsOfWorkspace(dialect, { ...options, by, workspaceId, lowest })
  const isOwn = sqlText`workspace_id = ${workspaceId}`
  return [partOf(dialect, { ...keys, isOwn, end: endOfMillisecond(before) }, options)]
}

interface WorkspaceOptions extends FindOptions {
  by: 'at-rest' | 'parts' | 'workspace'
  workspaceId: string
  lowest: string | SqlText
}

function partsOfWorkspace(
  dialect: OutboxDatabase['dialect'],
  { by, workspaceId, endpointId, before, after = '', lowest, ...shown }: WorkspaceOptions,
): Part[] {
  const mine = dialect.ofWorkspace(workspaceId, { before, after: lowest })
  const order = mine.newestFirst
  const atRest = partOf(
    dialect,
    { where: sqlText`${AT_REST} and ${mine.where}`, by: 'pending_events_at_rest', order },
    shown,
  )
  switch (by) {
    case 'at-rest':
      return [atRest]
    case 'workspace':
      return [partOf(dialect, { where: mine.where, by: 'pending_events_workspace', order }, shown)]
    case 'parts': {
      const { rows, shows } = shown
      const most = shows === 'all' ? rows : MAX_LOOKED
      return [
        atRest,
        {
          tables: [dialect.newestInLine({ workspaceId, endpointId, before, after, rows: most, ofEach: rows })],
          ids: raw('select id from line'),
          last: raw('select min(id) from line group by part having count(*) >= max(most)'),
        },
        {
          tables: [
            sqlText`due_first (id, workspace_id) as materialized (
      select id, workspace_id from pending_events ${dialect.by('pending_events_due')}
      where status = 'pending' and due_at is not null and ready = 0
      order by due_at, id ${dialect.first(MAX_LOOKED)})`,
          ],
          ids: sqlText`select id from due_first where workspace_id = ${workspaceId} and id < ${before} and id > ${after}`,
          last: raw('select null'),
        },
      ]
    }
  }
}
