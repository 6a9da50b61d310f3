import type { OptionNames } from './options.ts'
import type { OutboxDatabase } from './database.ts'
import { OutboxError, checkBounds, checkNames } from './errors.ts'
import { type SqlText, allOf, raw, sqlText } from './statement.ts'
import { SETTLED, replaySet } from './transitions.ts'

/**
 * Which settled rows to send again: named ones, those of an endpoint, or those of everybody in a time. Parts are joined by
 * "and". An endpoint is named with its workspace, and a workspace without `ids` with an endpoint: by both is the index.
 */
export interface ReplayFilter {
  ids?: readonly string[] | undefined
  workspaceId?: string | undefined
  endpointId?: string | undefined
  /** @default 'failed'; both where `ids` are given */
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
  /** Holds them for this reason instead of making them due. @default they are due now */
  holdFor?: string | undefined
  /** The time to go by, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const REPLAY_OPTIONS = { limit: 'number', holdFor: 'text', now: 'number' } satisfies OptionNames<ReplayOptions>

const DEFAULT_LIMIT = 1000

/**
 * Puts settled rows back to pending, oldest settlement first: attempts 0, `gen` + 1, due now. Rows that are pending or
 * held are left alone. At most `limit` rows (1–10,000, default 1,000) a call: repeat while `more`. With `holdFor` they are
 * held for that reason instead of due, for the caller to let out: a large replay stands before no new event.
 */
export async function replayEvents(
  db: OutboxDatabase,
  filter: ReplayFilter,
  options: ReplayOptions = {},
): Promise<{ ids: string[]; more: boolean }> {
  const { rows } = await db.run<{ id: string }>(replayStatement(db, filter, options))
  return { ids: rows.map(({ id }) => id), more: rows.length === (options.limit ?? DEFAULT_LIMIT) }
}

/** The replay unexecuted, to stand in one atomic unit with what hangs on it; it returns ids. */
export function replayStatement(
  db: Pick<OutboxDatabase, 'dialect'>,
  filter: ReplayFilter,
  options: ReplayOptions = {},
): SqlText {
  checkNames('the filter of a replay', REPLAY_FILTER, filter)
  checkNames('replayEvents', REPLAY_OPTIONS, options)
  const { limit = DEFAULT_LIMIT, holdFor, now } = options
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
    where ${picked.where}
    returning id`
}

function matching({ dialect }: Pick<OutboxDatabase, 'dialect'>, filter: ReplayFilter): SqlText {
  const { ids, workspaceId, endpointId, settledAfter, settledBefore } = filter
  const status = filter.status ?? (ids ? undefined : 'failed')
  // Of everybody's rows, or of one endpoint's: each says the condition of the index by which it goes, and no other's.
  const wanted = [ids || endpointId !== undefined ? raw('completed_at is not null') : SETTLED]
  if (workspaceId !== undefined) wanted.push(sqlText`workspace_id = ${workspaceId}`)
  if (endpointId !== undefined) wanted.push(sqlText`endpoint_id = ${endpointId}`)
  if (status !== undefined) wanted.push(sqlText`status = ${status}`)
  if (settledAfter !== undefined) wanted.push(sqlText`completed_at >= ${settledAfter}`)
  if (settledBefore !== undefined) wanted.push(sqlText`completed_at < ${settledBefore}`)
  // In a `case` no other way is looked for than by the keys.
  return ids ? sqlText`id ${dialect.keys(ids)} and case when ${allOf(wanted)} then true else false end` : allOf(wanted)
}
