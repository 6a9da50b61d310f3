import type { OptionNames } from './options.ts'
import type { OutboxDatabase } from './database.ts'
import { OutboxError, checkBounds, checkNames } from './errors.ts'
import { type SqlText, allOf, raw, sqlText } from './statement.ts'
import { CANCELLED } from './row.ts'
import { SETTLED, replaySet } from './transitions.ts'

/**
 * Which settled rows to send again: named ones, those of an endpoint, or those of all workspaces in a time range.
 * Conditions are joined by "and". An endpoint needs its workspace, and a workspace without `ids` needs an endpoint,
 * because the index has both. Cancelled rows are replayed by their ids alone.
 */
export interface ReplayFilter {
  ids?: readonly string[] | undefined
  workspaceId?: string | undefined
  endpointId?: string | undefined
  /** `completed` rows are those of an earlier version: a success deletes its row. @default 'failed'; with `ids` both */
  status?: 'failed' | 'completed' | undefined
  /** Settled at or after this time, ms since the epoch. */
  settledAfter?: number | undefined
  /** Settled before this time, ms since the epoch. */
  settledBefore?: number | undefined
}

export const REPLAY_FILTER = {
  ids: 'texts',
  workspaceId: 'text',
  endpointId: 'text',
  status: 'text',
  settledAfter: 'number',
  settledBefore: 'number',
} satisfies OptionNames<ReplayFilter>

export interface ReplayOptions {
  /** Rows at most: 1–10,000. @default 1000 */
  limit?: number | undefined
  /** Holds the rows for this reason instead of making them due. @default they are due now */
  holdFor?: string | undefined
  /** A condition on the caller's own tables that must hold. @default none */
  guard?: SqlText | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const REPLAY_OPTIONS = {
  limit: 'number',
  holdFor: 'text',
  guard: 'any',
  now: 'number',
} satisfies OptionNames<ReplayOptions>

const DEFAULT_LIMIT = 1000

/**
 * Makes settled rows pending again, oldest settlement first: attempts 0, `gen` + 1, due now. Pending and held rows are
 * skipped. At most `limit` rows (1–10,000, default 1,000) a call: repeat while `more`. With `holdFor` the rows are held
 * for that reason instead, for the caller to resume, so that a large replay delays no new event.
 */
export async function replayEvents(
  db: OutboxDatabase,
  filter: ReplayFilter,
  options: ReplayOptions = {},
): Promise<{ ids: string[]; more: boolean }> {
  const { rows } = await db.run<{ id: string }>(replayStatement(db, filter, options))
  return { ids: rows.map(({ id }) => id), more: rows.length === (options.limit ?? DEFAULT_LIMIT) }
}

/** The replay as an unexecuted statement, to commit with the caller's own; it returns ids. */
export function replayStatement(
  db: Pick<OutboxDatabase, 'dialect'>,
  filter: ReplayFilter,
  options: ReplayOptions = {},
): SqlText {
  checkNames('the filter of a replay', REPLAY_FILTER, filter)
  checkNames('replayEvents', REPLAY_OPTIONS, options)
  const { limit = DEFAULT_LIMIT, holdFor, guard = raw('1 = 1'), now } = options
  checkBounds('limit', limit, 1, 10_000)
  if (Object.values(filter).every((part) => part === undefined)) {
    throw new OutboxError('invalid_option', 'a replay needs a filter: ids, workspaceId, endpointId, status or a time')
  }
  if (!filter.ids && (filter.workspaceId === undefined) !== (filter.endpointId === undefined)) {
    throw new OutboxError(
      'invalid_option',
      'a replay without ids takes workspaceId and endpointId together, or neither',
    )
  }
  const picked = db.dialect.pick({
    where: matching(db, filter),
    ...(filter.ids ? {} : { by: filter.endpointId === undefined ? 'pending_events_settled' : 'pending_events_replay' }),
    order: raw('completed_at, id'),
    limit,
  })
  return sqlText`
    ${picked.with} update pending_events set ${replaySet(holdFor, now)}
    where ${picked.where} and ${guard}
    returning id`
}

function matching({ dialect }: Pick<OutboxDatabase, 'dialect'>, filter: ReplayFilter): SqlText {
  const { ids, workspaceId, endpointId, settledAfter, settledBefore } = filter
  const status = filter.status ?? (ids ? undefined : 'failed')
  // For all workspaces, or for one endpoint: each uses the condition of its own index, and of no other.
  const wanted = [ids || endpointId !== undefined ? raw('completed_at is not null') : SETTLED]
  if (workspaceId !== undefined) wanted.push(sqlText`workspace_id = ${workspaceId}`)
  if (endpointId !== undefined) wanted.push(sqlText`endpoint_id = ${endpointId}`)
  if (status !== undefined) wanted.push(sqlText`status = ${status}`)
  if (settledAfter !== undefined) wanted.push(sqlText`completed_at >= ${settledAfter}`)
  if (settledBefore !== undefined) wanted.push(sqlText`completed_at < ${settledBefore}`)
  if (!ids) wanted.push(raw(`coalesce(last_error, '') <> '${CANCELLED}'`))
  // The `case` hides the other conditions from the planner, so it can only use the keys.
  return ids ? sqlText`id ${dialect.keys(ids)} and case when ${allOf(wanted)} then true else false end` : allOf(wanted)
}
