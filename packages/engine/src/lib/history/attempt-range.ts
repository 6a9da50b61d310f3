import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, onlyRow, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt, firstIdAtTime } from './attempt-id.ts'
import type { HistoryOptions } from './history-options.ts'
import { ownRetention } from './workspace-retention.ts'

const DAY_MS = 86_400_000

/** How long attempts are retained, and of which workspace; undefined: of all. */
interface Retained extends Pick<HistoryOptions, 'retentionMs' | 'bodiesRetentionMs'> {
  workspaceId: string | undefined
}

/**
 * The conditions on the ids of a list: a time has a range of them. On Postgres both ends are numbers, from a clock that was read
 * before, because only those prune partitions before the planner opens each. An attempt with a later time than a day from now
 * is not listed there until then: its clock was wrong. `hasBody` holds for those whose headers and body are retained.
 */
export async function attemptRange(
  db: OutboxDatabase,
  { retentionMs, bodiesRetentionMs, workspaceId }: Retained,
  { before, since, until }: { before?: string | undefined; since?: number | undefined; until?: number | undefined },
): Promise<{ range: SqlText[]; hasBody: SqlText }> {
  const at = (ms: SqlText): SqlText => firstIdAt(db.dialect.name, ms)
  const isPartitioned = db.dialect.name === 'postgres'
  const now = isPartitioned ? await timeOf(db) : undefined
  const retained = retainedIds(db, { retentionMs, bodiesRetentionMs, workspaceId }, now)
  const bounds = [sqlText`attempt.id >= ${retained.first}`]
  if (now !== undefined) {
    bounds.push(
      sqlText`attempt.id >= ${at(clock(now - retentionMs))}`,
      sqlText`attempt.id < ${at(clock(now + DAY_MS))}`,
    )
  }
  const atTime = (ms: number): SqlText => sqlText`cast(${firstIdAtTime(db.dialect.name, ms)} as bigint)`
  if (since !== undefined) bounds.push(sqlText`attempt.id >= ${atTime(since)}`)
  if (until !== undefined) bounds.push(sqlText`attempt.id < ${atTime(until)}`)
  if (before !== undefined) bounds.push(sqlText`attempt.id < cast(${before} as bigint)`)
  return { range: bounds, hasBody: retained.hasBody }
}

/** The first id of a workspace that is retained, and whether the body of an `attempt` is. */
export function retainedIds(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { retentionMs, bodiesRetentionMs, workspaceId }: Retained,
  now?: number,
): { first: SqlText; hasBody: SqlText } {
  const own = (column: 'attempts_ms' | 'bodies_ms', mostMs: number): SqlText =>
    firstIdAt(dialect.name, sqlText`${clock(now)} - ${ownRetention({ dialect }, column, { workspaceId, mostMs })}`)
  return {
    first: own('attempts_ms', retentionMs),
    hasBody: sqlText`attempt.id >= ${own('bodies_ms', bodiesRetentionMs)}`,
  }
}

async function timeOf(db: OutboxDatabase): Promise<number> {
  return onlyRow((await db.run<{ now: number }>(raw('select ms as "now" from keepsend_clock'))).rows).now
import { type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt, firstIdAtTime } from './attempt-id.ts'
import type { HistoryOptions } from './history-options.ts'

type Dialect = OutboxDatabase['dialect']

/** How attempts are found in the order of their settles: one index, and a range of it. */
export interface AttemptRange {
  /** Undefined: the ids of all. */
  index: string | undefined
  newestFirst: SqlText
  /** The attempts from this id on. */
  from: (least: SqlText) => SqlText
}

/**
 * The attempts below `upper` of an endpoint, or else of a workspace, or else of all.
 *
 * @param isOfFailures only those that did not deliver, which have indexes of their own
 */
export function attemptRange(
  dialect: Dialect,
  { workspaceId, endpointId }: { workspaceId: string | undefined; endpointId: string | undefined },
  { upper, isOfFailures }: { upper: bigint; isOfFailures: boolean },
): AttemptRange {
  const failures = raw(isOfFailures ? `and attempt.outcome <> 'delivered'` : '')
  const [column, value] = endpointId === undefined ? ['workspace_id', workspaceId] : ['endpoint_id', endpointId]
  if (value === undefined) {
    const from = (least: SqlText): SqlText =>
      sqlText`attempt.id >= ${least} and attempt.id < ${idText(upper)} ${failures}`
    return { index: undefined, newestFirst: raw('attempt.id desc'), from }
  }
  const index = indexOf(endpointId !== undefined, isOfFailures)
  const { newestFirst, between } = rangeOf(dialect, column, value)
  // All attempts of an endpoint are of one workspace: another's are not read one by one to be left out.
  const isOwn =
    endpointId === undefined || workspaceId === undefined
      ? raw('')
      : sqlText`and (
        select attempt.workspace_id from keepsend_attempts as attempt ${dialect.by(index)}
        where ${between(raw('0'), BEHIND_EVERY_ATTEMPT)} ${failures} order by ${newestFirst} ${dialect.first(1)}) = ${workspaceId}`
  return { index, newestFirst, from: (least) => sqlText`${between(least, upper)} ${failures} ${isOwn}` }
}

function indexOf(isOfEndpoint: boolean, isOfFailures: boolean): string {
  if (isOfEndpoint) return isOfFailures ? 'keepsend_attempts_failed_endpoint' : 'keepsend_attempts_endpoint'
  return isOfFailures ? 'keepsend_attempts_failed' : 'keepsend_attempts_workspace'
}

function rangeOf(
  dialect: Dialect,
  column: string,
  value: string,
): { newestFirst: SqlText; between: (least: SqlText, upper: bigint) => SqlText } {
  const key = raw(`attempt.${column}`)
  if (dialect.name === 'sqlite') {
    return {
      newestFirst: raw('attempt.id desc'),
      between: (least, upper) =>
        sqlText`${key} = ${value} and attempt.id >= ${least} and attempt.id < ${idText(upper)}`,
    }
  }
  // A range in the order of the index, never `=`: for `=` the planner may read all attempts, newest first.
  const pair = (id: SqlText): SqlText => sqlText`(cast(${value} as text), ${id})`
  return {
    newestFirst: sqlText`${key} desc, attempt.id desc`,
    between: (least, upper) =>
      sqlText`(${key}, attempt.id) >= ${pair(least)} and (${key}, attempt.id) < ${pair(idText(upper))}`,
  }
}

const BEHIND_EVERY_ATTEMPT = 2n ** 63n - 1n

function idText(id: bigint): SqlText {
  return sqlText`cast(${String(id)} as bigint)`
}

/** The id that no attempt of a page reaches: the `next` of the page before, and the first at `until`. */
export function upperId({ name }: Dialect, before: string | undefined, until: number | undefined): bigint {
  const ends = [before, until === undefined ? undefined : firstIdAtTime(name, until)]
  return ends
    .filter((id) => id !== undefined)
    .map(BigInt)
    .reduce((one, other) => (one < other ? one : other), BEHIND_EVERY_ATTEMPT)
}

/** The first id within the retention, and not before `since`. */
export function leastId(
  { name, greatest }: Dialect,
  { retentionMs }: HistoryOptions,
  since: number | undefined,
): SqlText {
  const retained = firstIdAt(name, sqlText`${clock()} - ${retentionMs}`)
  return since === undefined
    ? retained
    : sqlText`${greatest}(${retained}, cast(${firstIdAtTime(name, since)} as bigint))`
}
