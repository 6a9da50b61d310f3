import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { hasIndex } from '../has-index.ts'
import { firstIdAtTime } from '../history/attempt-id.ts'
import { type AttemptRange, attemptRange, upperId } from '../history/attempt-range.ts'
import { boundedPage } from '../history/bounded-page.ts'
import { readByIndex } from '../history/read-by-index.ts'
import { partitionBounds, retainedAttempts } from '../history/retained-attempts.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { DELIVERED, type DeliveredAttempt, isLast } from './delivered.ts'
import type { DeliveryFilter } from './delivery-filter.ts'

export interface DeliveredFilter extends Pick<
  DeliveryFilter,
  'endpointId' | 'type' | 'httpStatus' | 'since' | 'until'
> {
  /** Undefined: all workspaces. */
  workspaceId: string | undefined
  /** Of this event alone. */
  eventId: string | undefined
  /** Below this position: an attempt's id, or of one event a delivery's. Undefined: from the newest on. */
  before: string | undefined
  rows: number
}

export interface DeliveredPage {
  rows: DeliveredAttempt[]
  /** All were found down to this position; null if none is left. */
  reached: string | null
}

/** A range of attempts, whose positions are in one of its columns. */
interface Order {
  range: AttemptRange
  position: 'id' | 'delivery_id'
  /** The lowest position. */
  least: SqlText
}

// D1 has these only if its host has applied them: each writes one more row for every attempt.
const UNBILLED = new Set<string | undefined>(['keepsend_attempts_workspace', 'keepsend_attempts_endpoint'])

/**
 * Finds delivered deliveries that have no row, the last settled first; those of one event in the order of their ids, the last
 * first. Each is its last attempt.
 *
 * @returns undefined if they cannot be listed: they are not recorded, or the database has no index for it
 */
export async function findDelivered(
  db: OutboxDatabase,
  history: HistoryOptions,
  filter: DeliveredFilter,
): Promise<DeliveredPage | undefined> {
  const { dialect } = db
  if (history.attempts === 'failed') return undefined
  const { since, until, before, eventId } = filter
  const upper = upperId(dialect, eventId === undefined ? before : undefined, until)
  const bounds = eventId === undefined ? await partitionBounds(db, history, { since, upper }) : []
  const order = orderOf(dialect, history, { ...filter, upper, bounds })
  const { index } = order.range
  if (dialect.isBilled && UNBILLED.has(index) && !(await hasIndex(db, String(index)))) return undefined
  const compared = comparisonsOf(dialect, history, filter)
  const page = boundedPage(db, { ...order, compared, rows: filter.rows })
  const { rows } = await readByIndex<Found>(
    db,
    sqlText`
    with ${page.tables}
    select cast(edge.reached as text) as "reached", ${DELIVERED} from edge ${page.join}`,
  )
  const [{ reached } = { reached: null }] = rows
  const found = rows.filter((row) => row.id !== null)
  return { rows: found.toSorted(eventId === undefined ? lastSettledFirst : lastIdFirst), reached }
}

// Sorted here: to a planner that follows indexes an order is a reason to read all of the primary key.
function lastSettledFirst(one: DeliveredAttempt, other: DeliveredAttempt): number {
  return BigInt(one.attemptId) < BigInt(other.attemptId) ? 1 : -1
}

function lastIdFirst(one: DeliveredAttempt, other: DeliveredAttempt): number {
  return one.id < other.id ? 1 : -1
}

type Edge = Pick<DeliveredPage, 'reached'>

/** If none was found, one row with only the edge. */
type Found = (Edge & DeliveredAttempt) | (Edge & { id: null })

function orderOf(
  dialect: OutboxDatabase['dialect'],
  history: HistoryOptions,
  {
    workspaceId,
    endpointId,
    eventId,
    before,
    since,
    upper,
    bounds,
  }: DeliveredFilter & { upper: bigint; bounds: readonly SqlText[] },
): Order {
  if (eventId !== undefined) {
    const end = `${eventId}/`
    const isOwn =
      workspaceId === undefined
        ? raw('')
        : sqlText`and case when attempt.workspace_id = ${workspaceId} then true else false end`
    const last = before !== undefined && before < end ? before : end
    return {
      range: {
        index: 'keepsend_attempts_delivery',
        newestFirst: raw('attempt.delivery_id desc, attempt.gen desc'),
        // Another workspace that used the id has a bounded number of attempts of it, and none of their positions is shown.
        from: (least) => sqlText`attempt.delivery_id >= ${least} and attempt.delivery_id < ${last} ${isOwn}`,
      },
      position: 'delivery_id',
      least: sqlText`cast(${`${eventId}.`} as text)`,
    }
  }
  return {
    range: attemptRange(dialect, { workspaceId, endpointId }, { upper, isOfFailures: false, bounds }),
    position: 'id',
    least: retainedAttempts({ dialect }, { ...history, workspaceId }, since).least,
  }
}

/** Compared row by row, the cheapest first. A scalar query is one look-up; a planner may make a join of a `not exists`. */
function comparisonsOf(
  dialect: OutboxDatabase['dialect'],
  history: HistoryOptions,
  { workspaceId, endpointId, eventId, type, httpStatus, since, until }: DeliveredFilter,
): SqlText[] {
  const compared = [raw(`attempt.outcome = 'delivered'`)]
  if (type !== undefined) compared.push(sqlText`attempt.event_type = ${type}`)
  if (httpStatus !== undefined) compared.push(sqlText`attempt.http_status = ${httpStatus}`)
  if (eventId !== undefined) {
    if (endpointId !== undefined) compared.push(sqlText`attempt.endpoint_id = ${endpointId}`)
    compared.push(sqlText`attempt.id >= ${retainedAttempts({ dialect }, { ...history, workspaceId }, since).least}`)
    if (until !== undefined) compared.push(sqlText`attempt.id < cast(${firstIdAtTime(dialect.name, until)} as bigint)`)
  }
  // A row shows the delivery as it is now.
  compared.push(
    raw('(select 1 from pending_events where pending_events.id = attempt.delivery_id) is null'),
    isLast({ dialect }),
  )
  return compared
}
