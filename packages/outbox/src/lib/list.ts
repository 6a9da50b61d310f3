import type { OutboxDatabase } from './database.ts'
import type { Which } from './dialect.ts'
import { eventRange } from './row-id.ts'
import { type SqlText, joined, raw, sqlText } from './statement.ts'

/**
 * Rows that one query for a list reads from each of its parts at most, if it may skip some of them. A page that ends
 * there is incomplete.
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
   * - `at-rest`: the index of settled rows, held rows and rows that wait after a failure.
   * - `parts`: that index, the lanes, and the rows that are due first, because rows in flight are in no index of their
   *   workspace. A row may be found twice; rows that were dispatched to a queue are not found.
   * - `keys`: the keys of every workspace, newest first.
   * - `workspace`: the optional index `pending_events_workspace`.
   * - an event: its rows.
   */
  by: 'at-rest' | 'parts' | 'keys' | 'workspace' | { eventId: string }
  /** Of the lanes, only this one. */
  endpointId?: string | undefined
  /** Rows that the caller shows; with `filtered` it shows only some of the rows that are found. */
  rows: number
  filtered: boolean
}

/** One source of rows: the tables that it needs, its ids, and the last id of a part that may have more. */
interface Part {
  tables?: SqlText[]
  ids: SqlText
  last: SqlText
}

/** The condition of the index `pending_events_at_rest`, term by term, because SQLite compares the terms. */
const AT_REST = raw(`ready = 0 and claimed_at is null and (status <> 'pending' or last_error is not null)`)

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

/**
 * Where a part ends. Its last row may be another workspace's, and its key would appear in the caller's cursor. So the
 * part ends at the millisecond of that row, and the next page finds the rows of that millisecond again. Only if a
 * millisecond has more rows than one query reads, it ends at the row itself.
 */
function lastMillisecond(before: string): SqlText {
  const millisecond = raw(`substr(min(id), 1, ${MILLISECOND_LENGTH}) || '.'`)
  return sqlText`
    select case when count(*) < ${MAX_LOOKED} then null when ${millisecond} < ${before} then ${millisecond} else min(id) end from looked`
}

/** Length of `evt_` and the time in a UUIDv7. A '-' follows in each id, and '.' sorts after it. */
const MILLISECOND_LENGTH = 17

function partsOf(dialect: OutboxDatabase['dialect'], options: FindOptions): Part[] {
  const { by, workspaceId, before, after, rows, filtered } = options
  /** The newest rows that meet a condition, some of which may be another workspace's. */
  const part = ({ where, by: index, order = raw('id desc'), limit = MAX_LOOKED }: Which): Part => ({
    tables: [
      sqlText`looked (id, workspace_id) as materialized (
      select id, workspace_id from pending_events ${index ? dialect.by(index) : raw('')} where ${where} order by ${order} ${dialect.first(limit)})`,
    ],
    ids: sqlText`select id from looked ${workspaceId === undefined ? raw('') : sqlText`where workspace_id = ${workspaceId}`}`,
    last: sqlText`select case when count(*) >= ${limit} then min(id) end from looked`,
  })
  // The rows of an event all have its time: they are in the range, or none is.
  if (typeof by === 'object') {
    // Those of another workspace that used the id are bounded by its endpoints, and no key of theirs is shown.
    const isOwn = workspaceId === undefined ? raw('') : sqlText`and workspace_id = ${workspaceId}`
    const range = eventRange(by.eventId, after !== undefined && by.eventId < after ? '' : before)
    return [part({ where: sqlText`${range} ${isOwn}` })]
  }
  if (workspaceId === undefined)
    return [part({ where: sqlText`id < ${before} ${isAbove(after ?? '')}`, limit: filtered ? MAX_LOOKED : rows })]
  if (by === 'keys')
    return [{ ...part({ where: sqlText`id < ${before} ${isAbove(after)}` }), last: lastMillisecond(before) }]
  return partsOfWorkspace(dialect, part, { ...options, by, workspaceId })
}

interface WorkspaceOptions extends FindOptions {
  by: 'at-rest' | 'parts' | 'workspace'
  workspaceId: string
}

function isAbove(after: string | undefined): SqlText {
  return after === undefined ? raw('') : sqlText`and id > ${after}`
}

function partsOfWorkspace(
  dialect: OutboxDatabase['dialect'],
  part: (which: Which) => Part,
  { by, workspaceId, endpointId, before, after, rows, filtered }: WorkspaceOptions,
): Part[] {
  const most = filtered ? MAX_LOOKED : rows
  const mine = dialect.ofWorkspace(workspaceId, { before, ...(after !== undefined && { after }) })
  const atRest = part({
    where: sqlText`${AT_REST} and ${mine.where}`,
    by: 'pending_events_at_rest',
    order: mine.newestFirst,
    limit: most,
  })
  switch (by) {
    case 'at-rest':
      return [atRest]
    case 'workspace':
      return [part({ where: mine.where, by: 'pending_events_workspace', order: mine.newestFirst, limit: most })]
    case 'parts':
      return [
        atRest,
        {
          tables: [
            dialect.newestInLine({ workspaceId, endpointId, before, after: after ?? '', rows: most, ofEach: rows }),
          ],
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
          ids: sqlText`select id from due_first where workspace_id = ${workspaceId} and id < ${before} ${isAbove(after)}`,
          last: raw('select null'),
        },
      ]
  }
}
