import type { DeliveryState } from './delivery.ts'
import { type EventStatus, type FindOptions, type OutboxDatabase, findStatement } from '@keepsend/outbox'
import {
  BEHIND_EVERY_EVENT,
  type OptionNames,
  type Row,
  type SqlText,
  allOf,
  eventIdIn,
  eventIdOf,
  limitTo,
  pendingEvents,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { toState } from './delivery-columns.ts'
import { checkBounds, checkNames } from '../errors.ts'
import type { EventQueue } from '../publish/event-queue.ts'
import { hasIndex } from '../has-index.ts'
import type { Page } from '../page.ts'
import { checkWorkspaceId } from '../workspace-id.ts'

export interface DeliveryFilter {
  /** Rows of a page: 1–1,000. */
  limit: number
  /** The `next` of the page before. */
  before?: string | undefined
  status?: EventStatus | undefined
  endpointId?: string | undefined
  type?: string | undefined
  eventId?: string | undefined
}

export const PAGE_OPTIONS = { limit: 'number', before: 'text' } satisfies OptionNames<
  Parameters<DeliveryLists['listEvents']>[1]
>

/** The retained deliveries of one event, counted by status. */
export interface EventSummary {
  id: string
  type: string
  createdAt: number
  pending: number
  held: number
  completed: number
  failed: number
}

/** Lists of one workspace. A page reads at most some thousands of rows, however many other workspaces have. */
export interface DeliveryLists {
  /** Lists deliveries. Filters other than the workspace are applied row by row, to at most 2,000 rows a page. */
  list(workspaceId: string, filter: DeliveryFilter): Promise<Page<DeliveryState>>
  /** Lists events, with the number of their deliveries by status. */
  listEvents(workspaceId: string, page: Pick<DeliveryFilter, 'limit' | 'before'>): Promise<Page<EventSummary>>
}

export const DELIVERY_LIST_OPTIONS = {
  ...PAGE_OPTIONS,
  status: 'text',
  endpointId: 'text',
  type: 'text',
  eventId: 'text',
} satisfies OptionNames<DeliveryFilter>

// Of `optional_list_indexes.sql`, which a host may have applied.
const OPTIONAL_INDEX = 'pending_events_workspace'

// For hosts; the HTTP API allows fewer.
const MAX_LIMIT = 1000

/** @param rowsStart how rows start: rows that were dispatched to a queue are in no index of their workspace */
export function createDeliveryLists(db: OutboxDatabase, rowsStart: EventQueue['rowsStart']): DeliveryLists {
  // The answer is cached, not its promise: on Workers a promise of a cancelled request never settles, and others would wait.
  let isIndexed: boolean | undefined

  /** How to find the rows of a workspace in any state. */
  async function anyState(): Promise<FindOptions['by']> {
    // An existing index is checked each time: it may be dropped, and the statement that uses it names it.
    if (isIndexed !== false) isIndexed = await hasIndex(db, OPTIONAL_INDEX)
    if (isIndexed) return 'workspace'
    return rowsStart === 'dispatched' ? 'keys' : 'parts'
  }

  return {
    async list(workspaceId, filter) {
      checkNames('deliveries.list', DELIVERY_LIST_OPTIONS, filter)
      const { limit, before = BEHIND_EVERY_EVENT, status, endpointId, type, eventId } = filter
      checkWorkspaceId(workspaceId)
      checkBounds('limit', limit, 1, MAX_LIMIT)
      const conditions: SqlText[] = []
      if (status !== undefined) conditions.push(sqlText`delivery.status = ${status}`)
      if (endpointId !== undefined) conditions.push(sqlText`delivery.endpoint_id = ${endpointId}`)
      if (type !== undefined) conditions.push(sqlText`delivery.event_type = ${type}`)
      const ofEvent = eventId === undefined ? undefined : { eventId: eventIdOf(eventId) }
      const atRest = status !== undefined && status !== 'pending'
      const by = ofEvent ?? (atRest ? 'at-rest' : await anyState())
      const filtered = conditions.length > 0
      const found = findStatement(db, { workspaceId, before, by, endpointId, rows: limit + 1, filtered })
      const { rows } = await db.run<Found<Row & { id: string }>>(sqlText`
        ${found}
        select reached.id as "reached", reached.complete as "complete", ${pendingEvents.except(['payload'], 'delivery')}
        from reached left join pending_events as delivery
          on ${allOf([sqlText`delivery.id ${db.dialect.among(REACHED)}`, ...conditions])}
        order by delivery.id desc ${limitTo(limit + 1)}`)
      return pageOf(rows, limit, ({ reached: _reached, complete: _complete, ...row }) => toState(row))
    },

    async listEvents(workspaceId, options) {
      checkNames('deliveries.listEvents', PAGE_OPTIONS, options)
      const { limit, before = BEHIND_EVERY_EVENT } = options
      checkWorkspaceId(workspaceId)
      checkBounds('limit', limit, 1, MAX_LIMIT)
      // `filtered`: an event has many rows, so a page of `limit` rows would show few events.
      const by = await anyState()
      const found = findStatement(db, { workspaceId, before, by, rows: limit + 1, filtered: true })
      // Two workspaces may have published under one event id.
      const { rows } = await db.run<Found<EventSummary>>(sqlText`
        ${found},
        event (id) as materialized (
          select distinct ${eventIdIn(raw('found.id'))} from found
          where found.id >= (select reached.id from reached) and found.id <> ${eventIdIn(raw('found.id'))}
          order by 1 desc ${db.dialect.first(limit + 1)}),
        summary as (
          select event.id as id, min(event_type) as type, min(created_at) as created_at,
            count(case when status = 'pending' then 1 end) as pending, count(case when status = 'held' then 1 end) as held,
            count(case when status = 'completed' then 1 end) as completed, count(case when status = 'failed' then 1 end) as failed
          from event ${db.dialect.joinRowsOf(raw('event.id'))}
          where pending_events.workspace_id = ${workspaceId}
          group by event.id)
        select reached.id as "reached", reached.complete as "complete", summary.id as "id", type as "type",
          created_at as "createdAt", pending as "pending", held as "held", completed as "completed", failed as "failed"
        from reached left join summary on 1 = 1
        order by summary.id desc`)
      const page = pageOf<EventSummary, EventSummary>(rows, limit, toSummary)
      // All rows of an event that is shown are counted: the next page begins after the event.
      const last = page.rows.at(-1)
      const next = page.next !== undefined && eventIdOf(page.next) === last?.id ? last.id : page.next
      return { ...page, next }
    },
  }
}

const REACHED = raw('select found.id from found where found.id >= (select reached.id from reached)')

function toSummary({ id, type, createdAt, pending, held, completed, failed }: EventSummary): EventSummary {
  return { id, type, createdAt, pending, held, completed, failed }
}

/** How far the search came: see {@link findStatement}. */
interface Reached {
  reached: string
  complete: 0 | 1
}

/** A row and how far the search came. If no row was found, one with only the latter. */
type Found<R> = Reached & (R | { id: null })

/** @param found the rows of the page, and one more if there is one */
function pageOf<R extends { id: string }, Shown>(
  found: readonly Found<R>[],
  limit: number,
  show: (row: R) => Shown,
): Page<Shown> {
  const [{ reached, complete } = { reached: '', complete: 1 }] = found
  const rows = found.filter((row): row is Reached & R => row.id !== null)
  const shown = rows.slice(0, limit)
  const isFull = rows.length > limit
  return {
    rows: shown.map(show),
    next: isFull ? shown.at(-1)?.id : reached === '' ? undefined : reached,
    complete: (isFull || reached === '') && complete === 1,
  }
}
