import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, allOf, raw, sqlText } from '@keepsend/outbox/internal'
import { hasFailed } from './attempt-end.ts'
import { firstIdAtTime } from './attempt-id.ts'

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
 * @param bounds of every look at the table: see {@link partitionBounds}
 */
export function attemptRange(
  dialect: Dialect,
  { workspaceId, endpointId }: { workspaceId: string | undefined; endpointId: string | undefined },
  { upper, isOfFailures, bounds }: { upper: bigint; isOfFailures: boolean; bounds: readonly SqlText[] },
): AttemptRange {
  const failures = isOfFailures ? sqlText`and ${hasFailed('attempt')}` : raw('')
  const [column, value] = endpointId === undefined ? ['workspace_id', workspaceId] : ['endpoint_id', endpointId]
  if (value === undefined) {
    const from = (least: SqlText): SqlText =>
      allOf([sqlText`attempt.id >= ${least} and attempt.id < ${idText(upper)} ${failures}`, ...bounds])
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
        where ${allOf([sqlText`${between(raw('0'), BEHIND_EVERY_ATTEMPT)} ${failures}`, ...bounds])}
        order by ${newestFirst} ${dialect.first(1)}) = ${workspaceId}`
  const from = (least: SqlText): SqlText => allOf([sqlText`${between(least, upper)} ${failures} ${isOwn}`, ...bounds])
  return { index, newestFirst, from }
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
