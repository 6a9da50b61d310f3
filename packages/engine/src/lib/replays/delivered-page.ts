import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { isLast } from '../deliveries/delivered.ts'
import { firstIdAtTime } from '../history/attempt-id.ts'
import { readByIndex } from '../history/read-by-index.ts'
import type { PageAt, ReplayPage, Searched } from './replay-page.ts'

// Attempts that a page reads at most; it ends as soon as it is full.
const MAX_READ = 2000
const LAST = raw(String(MAX_READ))

/** The index that finds the attempts of an endpoint. On D1 a host may not have applied it. */
export const ATTEMPTS_OF_ENDPOINT = 'keepsend_attempts_endpoint'

/**
 * Delivered deliveries, the first that was delivered first: each is its last attempt. One that was sent is not found again: its
 * next attempt is behind `untilAt`.
 */
export async function deliveredPage(
  db: OutboxDatabase,
  { workspaceId, sinceAt, untilAt }: Searched,
  { endpointId, position, limit }: PageAt,
): Promise<ReplayPage> {
  const { dialect } = db
  const first = firstIdAtTime(dialect.name, sinceAt)
  const after = position === '' ? String(BigInt(first) - 1n) : position
  const { where, order } = rangeOf(dialect.name, endpointId, { after, before: firstIdAtTime(dialect.name, untilAt) })
  const { rows } = await readByIndex<{ attemptId: string; id: string; isShown: boolean | number; nth: number }>(
    db,
    sqlText`
    select * from (
      select passed.*, row_number() over () as "nth" from (
        select cast(attempt.id as text) as "attemptId", attempt.delivery_id as "id",
          (attempt.outcome = 'delivered' and attempt.workspace_id = ${workspaceId} and ${isLast({ dialect })}) as "isShown"
        from keepsend_attempts as attempt ${dialect.by(ATTEMPTS_OF_ENDPOINT)}
        where ${where} order by ${order} ${dialect.first(MAX_READ)}) as passed) as numbered
    where "isShown" or "nth" = ${LAST} ${dialect.first(limit)}`,
  )
  const last = rows.at(-1)
  return {
    ids: rows.filter(({ isShown }) => Boolean(isShown)).map(({ id }) => id),
    position: last?.attemptId ?? position,
    isLast: rows.length < limit && Number(last?.nth) !== MAX_READ,
  }
}

function rangeOf(
  dialect: OutboxDatabase['dialect']['name'],
  endpointId: string,
  { after, before }: { after: string; before: string },
): { where: SqlText; order: SqlText } {
  const [from, to] = [sqlText`cast(${after} as bigint)`, sqlText`cast(${before} as bigint)`]
  if (dialect === 'sqlite')
    return {
      where: sqlText`attempt.endpoint_id = ${endpointId} and attempt.id > ${from} and attempt.id < ${to}`,
      order: raw('attempt.id'),
    }
  // A range in the order of the index, never `=`; the ids alone prune partitions.
  const pair = (id: SqlText): SqlText => sqlText`(cast(${endpointId} as text), ${id})`
  return {
    where: sqlText`(attempt.endpoint_id, attempt.id) > ${pair(from)} and (attempt.endpoint_id, attempt.id) < ${pair(to)}
          and attempt.id > ${from} and attempt.id < ${to}`,
    order: raw('attempt.endpoint_id, attempt.id'),
  }
}
