import { type OutboxDatabase, findStatement } from '@keepsend/outbox'
import { BEHIND_EVERY_EVENT, type OptionNames, eventIdIn, eventIdOf, raw, sqlText } from '@keepsend/outbox/internal'
import { DELIVERY_LIST_OPTIONS, type DeliveryFilter, checkFilter, keysBetween } from './delivery-filter.ts'
import { type Found, pageOf } from './found-page.ts'
import { type DeliveryPage, type ListDeps, listDeliveries } from './list-deliveries.ts'
import { checkBounds, checkNames } from '../errors.ts'
import type { Page } from '../page.ts'
import { TIME_RANGE } from '../time-range.ts'
import { type WorkspaceScope, checkWorkspaceId, readScope } from '../workspace-id.ts'

export const PAGE_OPTIONS = { limit: 'number', before: 'text', ...TIME_RANGE } satisfies OptionNames<
  Parameters<DeliveryLists['listEvents']>[1]
>

/** The retained deliveries of one event, counted by status. */
export interface EventSummary {
  id: string
  workspaceId: string
  type: string
  createdAt: number
  pending: number
  held: number
  completed: number
  failed: number
}

/** Lists of one workspace; of deliveries also of all. A page reads at most some thousands of rows, however many other workspaces have. */
export interface DeliveryLists {
  /**
   * Lists deliveries, newest first. With `history` also delivered ones, of which only the attempt is left. A row is as old as its
   * event, by the time in the event's id; a delivered one without a row as its settle. `since` and `until` mean these times. They
   * are found by an index; filters other than the workspace are compared row by row, at most 2,000 rows and 2,000 attempts a page.
   */
  list(workspaceId: WorkspaceScope, filter: DeliveryFilter): Promise<DeliveryPage>
  /** Lists events, with the number of their deliveries by status. `since` and `until` mean the time in an event's id. */
  listEvents(
    workspaceId: string,
    page: Pick<DeliveryFilter, 'limit' | 'before' | 'since' | 'until'>,
  ): Promise<Page<EventSummary>>
}

// For hosts; the HTTP API allows fewer.
const MAX_LIMIT = 1000

export function createDeliveryLists(db: OutboxDatabase, { anyState, ...deps }: ListDeps): DeliveryLists {
  return {
    async list(scope, filter) {
      checkNames('deliveries.list', DELIVERY_LIST_OPTIONS, filter)
      const workspaceId = readScope(scope)
      checkBounds('limit', filter.limit, 1, MAX_LIMIT)
      checkFilter(filter)
      return listDeliveries(db, { ...filter, workspaceId }, { ...deps, anyState })
    },

    async listEvents(workspaceId, options) {
      checkNames('deliveries.listEvents', PAGE_OPTIONS, options)
      const { limit, before = BEHIND_EVERY_EVENT } = options
      checkWorkspaceId(workspaceId)
      checkBounds('limit', limit, 1, MAX_LIMIT)
      // `some`: an event has many rows, so a page of `limit` rows would show few events.
      const by = await anyState()
      const range = keysBetween(options, before)
      const found = findStatement(db, { ...range, workspaceId, by, rows: limit + 1, shows: 'some' })
      // Two workspaces may have published under one event id.
      const { rows } = await db.run<Found<Counted>>(sqlText`
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
      const page = pageOf<Counted, EventSummary>(rows, limit, (row) => toSummary(workspaceId, row))
      // All rows of an event that is shown are counted: the next page begins after the event.
      const last = page.rows.at(-1)
      const next = page.next !== undefined && eventIdOf(page.next) === last?.id ? last.id : page.next
      return { ...page, next }
    },
  }
}

type Counted = Omit<EventSummary, 'workspaceId'>

function toSummary(
  workspaceId: string,
  { id, type, createdAt, pending, held, completed, failed }: Counted,
): EventSummary {
  return { id, workspaceId, type, createdAt, pending, held, completed, failed }
}
