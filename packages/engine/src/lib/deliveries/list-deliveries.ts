import { type FindOptions, type OutboxDatabase, findStatement } from '@keepsend/outbox'
import {
  BEHIND_EVERY_EVENT,
  type Row,
  allOf,
  eventIdOf,
  limitTo,
  pendingEvents,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { firstIdAtTime, settledAt } from '../history/attempt-id.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import type { Page } from '../page.ts'
import { deliveredState } from './delivered.ts'
import { type DeliveredPage, findDelivered } from './delivered-list.ts'
import { toState } from './delivery-columns.ts'
import { type DeliveryFilter, canBeDelivered, keysBetween, rowConditions } from './delivery-filter.ts'
import type { DeliveryState } from './delivery.ts'
import { type Found, pageOf } from './found-page.ts'
import { type Part, joinPositions, keyTime, mergeParts, splitPositions } from './merged-page.ts'

/** A page of deliveries. */
export interface DeliveryPage extends Page<DeliveryState> {
  /**
   * `completed`: delivered deliveries belong to the list and are not in it, because this engine has `history` but does not record
   * them (`attempts: 'failed'`), or the database has no index to list them by. Such a page is never `complete`.
   */
  omitted?: 'completed' | undefined
}

export interface ListDeps {
  history: HistoryOptions | undefined
  /** How to find the rows of a workspace in any state. */
  anyState: () => Promise<FindOptions['by']>
}

/** @param workspaceId undefined: of all workspaces */
export async function listDeliveries(
  db: OutboxDatabase,
  { workspaceId, ...filter }: DeliveryFilter & Owner,
  { history, anyState }: ListDeps,
): Promise<DeliveryPage> {
  const { limit, status } = filter
  const eventId = filter.eventId === undefined ? undefined : eventIdOf(filter.eventId)
  const [key, attemptId] = splitPositions(filter.before ?? BEHIND_EVERY_EVENT)
  const atRest = status !== undefined && status !== 'pending'
  const by =
    eventId !== undefined ? { eventId } : workspaceId === undefined ? 'keys' : atRest ? 'at-rest' : await anyState()
  const { page, isSeen } = await findRows(db, { ...filter, ...keysBetween(filter, key), workspaceId, by })
  if (!history || !canBeDelivered(filter)) return page
  // After the rows: a delivery that is delivered meanwhile is found twice, and not missed.
  const attemptsBefore = attemptId ?? firstIdAtTime(db.dialect.name, keyTime(key) + 1)
  const delivered = await findDelivered(db, history, {
    ...filter,
    workspaceId,
    eventId,
    before: eventId !== undefined ? key : filter.before === undefined ? undefined : attemptsBefore,
    rows: limit + 1,
  })
  if (!delivered) return { ...page, complete: false, omitted: 'completed' }
  const isDelivered = new Set(delivered.rows.map(({ id }) => id))
  const stored = { ...page, rows: page.rows.filter(({ id }) => !isDelivered.has(id)) }
  const merged = eventId === undefined ? byTime(db, stored, delivered, limit) : byId(db, stored, delivered, limit)
  const isWhole = merged.rows.length === limit || merged.next === undefined
  return { ...merged, complete: isWhole && isSeen }
}

interface Owner {
  workspaceId: string | undefined
}

async function findRows(
  db: OutboxDatabase,
  { limit, ...filter }: DeliveryFilter & Owner & Pick<FindOptions, 'by' | 'after'> & { before: string },
): Promise<{ page: Page<DeliveryState>; isSeen: boolean }> {
  const conditions = rowConditions(db.dialect.name, filter)
  const { workspaceId, before, after, by, endpointId, status } = filter
  const shows = conditions.length === 0 ? 'all' : { if: allOf(conditions) }
  const found = findStatement(db, { workspaceId, before, after, by, endpointId, status, rows: limit + 1, shows })
  const { rows } = await db.run<Found<Row & { id: string }>>(sqlText`
    ${found}
    select reached.id as "reached", reached.complete as "complete", ${pendingEvents.except(['payload'], 'pending_events')}
    from reached left join pending_events
      on ${allOf([sqlText`pending_events.id ${db.dialect.among(REACHED)}`, ...conditions])}
    order by pending_events.id desc ${limitTo(limit + 1)}`)
  const page = pageOf(rows, limit, ({ reached: _reached, complete: _complete, ...row }) => toState(row))
  return { page, isSeen: rows[0]?.complete === 1 }
}

const REACHED = raw('select found.id from found where found.id >= (select reached.id from reached)')

type Listed = Omit<DeliveryPage, 'complete'>

/** Rows by the time of their event, delivered ones by the time of their settle. */
function byTime(db: OutboxDatabase, stored: Page<DeliveryState>, delivered: DeliveredPage, limit: number): Listed {
  const { dialect } = db
  const rows = stored.rows.map((row) => ({ row, key: keyTime(row.id), position: row.id }))
  const attempts = delivered.rows.slice(0, limit).map((attempt) => {
    const row = deliveredState(dialect, attempt)
    return { row, key: settledAt(dialect.name, attempt.attemptId), position: attempt.attemptId }
  })
  const next = delivered.rows.length > limit ? attempts.at(-1)?.position : (delivered.reached ?? undefined)
  const merged = mergeParts(
    [
      {
        entries: rows,
        next: stored.next === undefined ? undefined : { position: stored.next, key: keyTime(stored.next) },
        // Directly above the first: a later page shows nothing that is newer than this one.
        start: `${rows[0]?.position}-`,
      },
      {
        entries: attempts,
        next: next === undefined ? undefined : { position: next, key: settledAt(dialect.name, next) },
        start: String(BigInt(attempts[0]?.position ?? 0) + 1n),
      },
    ],
    limit,
  )
  return { rows: merged.rows, next: joinPositions(merged.rests) }
}

/** The deliveries of one event, whose ids have one order in both sources. */
function byId(db: OutboxDatabase, stored: Page<DeliveryState>, delivered: DeliveredPage, limit: number): Listed {
  const partOf = (rows: DeliveryState[], next: string | undefined): Part<DeliveryState, string> => ({
    entries: rows.map((row) => ({ row, key: row.id, position: row.id })),
    next: next === undefined ? undefined : { position: next, key: next },
    start: '',
  })
  const attempts = delivered.rows.slice(0, limit)
  const next = delivered.rows.length > limit ? attempts.at(-1)?.id : (delivered.reached ?? undefined)
  const states = attempts.map((attempt) => deliveredState(db.dialect, attempt))
  const { rows, end } = mergeParts([partOf(stored.rows, stored.next), partOf(states, next)], limit)
  return { rows, next: end }
}
