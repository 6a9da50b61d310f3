import type { OutboxDatabase } from '@keepsend/outbox'
import { BEHIND_EVERY_EVENT, type Row, type SqlText, allOf, joined, raw, sqlText } from '@keepsend/outbox/internal'
import { keysBetween } from '../deliveries/delivery-filter.ts'
import { leastEventId } from '../history/event-retention.ts'
import { readByIndex } from '../history/read-by-index.ts'
import { TRACE_ID } from '../history/record-event.ts'
import type { Page } from '../page.ts'
import type { TimeRange } from '../time-range.ts'
import { type CheckedSearch, type SearchPosition, behindPrefix, readPosition, writePosition } from './event-search.ts'
import { type CountedEvent, type ListedEvent, MAX_COUNTED, MAX_READ, counted } from './recorded-events.ts'

/** Which found events to list. */
interface SearchFilter extends TimeRange {
  limit: number
  before?: string | undefined
  type?: string | undefined
  traceId?: string | undefined
  retentionMs: number
}

/**
 * Lists the events of one workspace that have a value: the newest first, or for a prefix those of the last value first, by ranges of
 * one index. Of a value the time is in that range too; the type, the trace id, and with a prefix the time, are compared event by event.
 */
export async function searchEvents(
  db: OutboxDatabase,
  search: CheckedSearch,
  filter: SearchFilter,
): Promise<Page<ListedEvent>> {
  const { limit } = filter
  const found = await findEvents(db, search, filter)
  const rows = found.filter((row): row is FoundValue & { id: string } => row.id !== null)
  let deliveries = 0
  const most = rows.findIndex((row) => (deliveries += row.deliveries) - row.deliveries >= MAX_COUNTED)
  const shown = rows.slice(0, most === -1 ? limit : Math.min(most, limit))
  const events = await summarize(
    db,
    search.workspaceId,
    shown.map(({ id }) => id),
  )
  const last = shown.at(-1)
  if (last && rows.length > shown.length)
    return { rows: events, next: writePosition(search, last), complete: shown.length === limit }
  const [{ endId, endValue } = { endId: null, endValue: '' }] = found
  const next = endId === null ? undefined : writePosition(search, { id: endId, value: endValue })
  return { rows: events, next, complete: next === undefined }
}

/** A matching value of the page with its event, and where the search ended early. Without a match: one row with only that. */
type FoundValue = Row & { endId: string | null; endValue: string } & ({ id: string } | { id: null }) & {
    value: string
    deliveries: number
  }

/** The first matches, one more than are shown. */
async function findEvents(
  db: OutboxDatabase,
  search: CheckedSearch,
  { limit, type, traceId, retentionMs, ...filter }: SearchFilter,
): Promise<FoundValue[]> {
  const { dialect } = db
  const { workspaceId, isExact } = search
  const { before = BEHIND_EVERY_EVENT, ...times } = filter
  const keys = keysBetween(times, isExact ? before : BEHIND_EVERY_EVENT)
  const inTime = [sqlText`event_id < ${keys.before}`, sqlText`event_id > ${leastEventId(db, retentionMs, keys.after)}`]
  const ranges = isExact
    ? [allOf([sqlText`value = ${search.text}`, ...inTime])]
    : rangesOf(search.text, filter.before === undefined ? undefined : readPosition(filter.before, search.text))
  const compared = isExact ? [] : inTime
  if (type !== undefined) compared.push(sqlText`event_type = ${type}`)
  if (traceId !== undefined) compared.push(sqlText`${TRACE_ID} = ${traceId}`)
  const isFiltered =
    type !== undefined || traceId !== undefined || (!isExact && (times.since ?? times.until) !== undefined)
  const most = isFiltered ? MAX_READ : limit + 1
  const parts = ranges.map(
    (range) => sqlText`
      select * from (
        select value, event_id from keepsend_event_search
        where workspace_id = ${workspaceId} and path = ${search.path} and ${range}
        order by value desc, event_id desc ${dialect.first(most)}) as part`,
  )
  // Scalars: a look-up by key for each, whatever the planner expects of the tables.
  const ofEvent = (column: string): SqlText => sqlText`(
        select event.${raw(column)} from keepsend_events as event where event.id = event_id and event.workspace_id = ${workspaceId})`
  const { rows } = await readByIndex<FoundValue>(
    db,
    sqlText`
    with found as materialized (
      ${joined(parts, ' union all ')} order by value desc, event_id desc ${dialect.first(most)}),
    listed as (
      select value, event_id, ${ofEvent('event_type')} as event_type, ${ofEvent('trace_parent')} as trace_parent,
        ${ofEvent('deliveries')} as deliveries from found),
    page as materialized (
      select value, event_id, deliveries from listed where ${allOf([raw('1 = 1'), ...compared])}
      order by value desc, event_id desc ${dialect.first(limit + 1)}),
    reached as (
      select value, event_id from found where (select count(*) from found) = ${raw(String(most))}
      order by value, event_id ${dialect.first(1)})
    select reached.event_id as "endId", reached.value as "endValue", page.event_id as "id", page.value as "value",
      page.deliveries as "deliveries"
    from (select 1 as one) as one left join reached on 1 = 1 left join page on 1 = 1
    order by page.value desc, page.event_id desc`,
  )
  return rows
}

/** The values that begin with a prefix, behind a position: the rest of its value, and the values before that. */
function rangesOf(prefix: string, position: SearchPosition | undefined): SqlText[] {
  const end = position?.value ?? behindPrefix(prefix)
  const range = [sqlText`value >= ${prefix}`]
  if (end !== undefined) range.push(sqlText`value < ${end}`)
  const rest = position && sqlText`value = ${position.value} and event_id < ${position.id}`
  return rest ? [rest, allOf(range)] : [allOf(range)]
}

/** The events of these ids, in their order. */
async function summarize(db: OutboxDatabase, workspaceId: string, ids: readonly string[]): Promise<ListedEvent[]> {
  if (ids.length === 0) return []
  const { rows } = await db.run<CountedEvent>(sqlText`
    with page as materialized (
      select id, workspace_id, event_type, created_at, trace_parent, 1 as place from keepsend_events
      where id ${db.dialect.keys(ids)} and workspace_id = ${workspaceId}),
    ${counted(db)}
    select * from summary`)
  const events = new Map(rows.map(({ place: _, ...event }) => [event.id, event as ListedEvent]))
  return ids.flatMap((id) => events.get(id) ?? [])
}
