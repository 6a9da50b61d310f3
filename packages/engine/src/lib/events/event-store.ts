import type { OutboxDatabase } from '@keepsend/outbox'
import { BEHIND_EVERY_EVENT, type OptionNames } from '@keepsend/outbox/internal'
import type { DeliveryState } from '../deliveries/delivery.ts'
import type { EventSummary } from '../deliveries/delivery-list.ts'
import { keysBetween } from '../deliveries/delivery-filter.ts'
import type { DeliveryStore } from '../deliveries/delivery-store.ts'
import { readDeliveriesOf } from '../deliveries/event-deliveries.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import type { Page } from '../page.ts'
import { TIME_RANGE, type TimeRange } from '../time-range.ts'
import { type WorkspaceScope, checkWorkspaceId, readScope } from '../workspace-id.ts'
import { EVENT_SEARCH, type EventSearch, checkSearch } from './event-search.ts'
import { type ListedEvent, findRecordedEvent, listRecordedEvents } from './recorded-events.ts'
import { searchEvents } from './search-events.ts'

/** An event of one workspace, with its payload. */
export interface StoredEvent extends ListedEvent {
  /** Null: not recorded, because the engine had no `history.events` when it was published. */
  channels: string[] | null
  /** The body of each delivery; null: no longer stored. */
  payload: string | null
  /** The content type of a raw body; null if the payload is Keepsend's JSON envelope. */
  contentType: string | null
  /** The label of `payload`, the newest when it was published; null: it has none, or is not recorded. */
  eventVersion: string | null
  /** The first 1,000 that are stored, in the order of their endpoint ids. */
  rows: DeliveryState[]
  /** False if more are stored. */
  complete: boolean
}

/** `since` and `until` mean the time in an event's id. */
export interface EventFilter extends TimeRange {
  /** Events of a page: 1–1,000. */
  limit: number
  /** The `next` of the page before. */
  before?: string | undefined
  type?: string | undefined
  /** Of the publisher's `traceparent`; needs `history.events`. */
  traceId?: string | undefined
  /** Only events with this value at a path of `history.search`, in one workspace. */
  search?: EventSearch | undefined
}

export const EVENT_FILTER = {
  limit: 'number',
  before: 'text',
  type: 'text',
  traceId: 'text',
  search: EVENT_SEARCH,
  ...TIME_RANGE,
} satisfies OptionNames<EventFilter>

/**
 * Events of one workspace. With `history.events`: each that was published, until its retention ends. Otherwise: events with a
 * stored delivery.
 */
export interface EventStore {
  /**
   * Lists events, newest first. The type and the trace id are compared event by event, at most 2,000 a page. `completed` counts delivered
   * deliveries if `history` records all attempts, otherwise only stored ones. A search for a prefix has the order of the values, the
   * last first, and of one value the newest event first.
   *
   * @throws {EngineError} `invalid_request`: `search` names no path of `history.search`, or all workspaces; `not_retained`: the engine
   *   has no such paths
   * @throws {EngineError} `not_retained`: all workspaces, or a trace id, were asked for, and the engine has no `history.events`
   */
  list(workspaceId: WorkspaceScope, filter: EventFilter): Promise<Page<ListedEvent>>
  /** Reads an event of one workspace: two may have published under one id. @throws {EngineError} `not_retained`: neither the event nor one of its deliveries is stored */
  get(workspaceId: string, eventId: string): Promise<StoredEvent>
}

const MAX_LIMIT = 1000
const NOT_RECORDED =
  'events of all workspaces, or of a trace, are listed from recorded ones, and this engine has no history.events: ask for one workspace, and for no trace id'

export function createEventStore(
  db: OutboxDatabase,
  history: HistoryOptions | undefined,
  deliveries: Pick<DeliveryStore, 'listEvents' | 'listByEvent'>,
): EventStore {
  const recorded = history?.events ? { retentionMs: history.retentionMs } : undefined
  return {
    async list(scope, filter) {
      checkNames('events.list', EVENT_FILTER, filter)
      const workspaceId = readScope(scope)
      checkBounds('limit', filter.limit, 1, MAX_LIMIT)
      const { type, traceId, search, ...page } = filter
      const { limit, before = BEHIND_EVERY_EVENT } = filter
      const found = search && checkSearch(search, workspaceId, history?.search ?? [])
      if (found && recorded) return searchEvents(db, found, { ...filter, ...recorded })
      if (recorded)
        return listRecordedEvents(db, workspaceId, {
          limit,
          type,
          traceId,
          ...keysBetween(filter, before),
          ...recorded,
        })
      if (workspaceId === undefined || traceId !== undefined) throw new EngineError('not_retained', NOT_RECORDED)
      const { rows, next, complete } = await deliveries.listEvents(workspaceId, page)
      const shown = rows.filter((one) => type === undefined || one.type === type).map(withoutTrace)
      return { rows: shown, next, complete: complete && (next === undefined || shown.length === rows.length) }
    },

    async get(workspaceId, eventId) {
      checkWorkspaceId(workspaceId)
      const event = recorded && (await findRecordedEvent(db, { workspaceId, eventId, ...recorded }))
      if (event) {
        const { deliveries: rows, complete } = await readDeliveriesOf(db, workspaceId, eventId)
        const { version: eventVersion, ...recordedEvent } = event
        return { ...recordedEvent, eventVersion, rows, complete }
      }
      const { deliveries: rows, ...stored } = await deliveries.listByEvent(workspaceId, eventId)
      const counted = stored.complete ? undefined : await summaryOfMany(workspaceId, eventId)
      const summary = counted ?? summaryOf({ id: eventId, workspaceId }, rows)
      return { ...withoutTrace(summary), channels: null, eventVersion: null, ...stored, rows }
    },
  }

  /** For an event with more deliveries than are read. */
  async function summaryOfMany(workspaceId: string, eventId: string): Promise<EventSummary | undefined> {
    // '/' sorts after all ids of the event's deliveries.
    const page = await deliveries.listEvents(workspaceId, { limit: 1, before: `${eventId}/` })
    return page.rows.find(({ id }) => id === eventId)
  }
}

function withoutTrace(event: EventSummary): ListedEvent {
  return { ...event, traceId: null }
}

function summaryOf(event: Pick<EventSummary, 'id' | 'workspaceId'>, rows: readonly DeliveryState[]): EventSummary {
  const counts = { pending: 0, held: 0, completed: 0, failed: 0 }
  for (const { status } of rows) counts[status]++
  return { ...event, type: rows[0]?.type ?? '', createdAt: rows[0]?.createdAt ?? 0, ...counts }
}
