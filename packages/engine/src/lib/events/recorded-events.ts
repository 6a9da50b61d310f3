import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, createCodec, json, raw, sqlText } from '@keepsend/outbox/internal'
import type { EventSummary } from '../deliveries/delivery-list.ts'
import { leastEventId } from '../history/event-retention.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { readByIndex } from '../history/read-by-index.ts'
import { TRACE_ID } from '../history/record-event.ts'
import type { Page } from '../page.ts'
import type { events } from '../sqlite/history-tables.ts'

/** Which recorded events to list. */
export interface RecordedEventFilter {
  limit: number
  type: string | undefined
  traceId: string | undefined
  /** Ids above this one and below that one. */
  after: string | undefined
  before: string
}

/** An event as lists show it. */
export interface ListedEvent extends EventSummary {
  /** Of the `traceparent` that its publisher gave, 32 hexadecimal digits; null: none was given, or it is not recorded. */
  traceId: string | null
}

type Retention = Pick<HistoryOptions, 'retentionMs'>

// Events that a page reads at most, if it leaves some out; and deliveries that it counts, beside those of its last event.
export const MAX_READ = 2000
export const MAX_COUNTED = 2000

/** Lists the events of one workspace; of all workspaces without one. */
export async function listRecordedEvents(
  db: OutboxDatabase,
  workspaceId: string | undefined,
  { limit, type, traceId, after, before, retentionMs }: RecordedEventFilter & Retention,
): Promise<Page<ListedEvent>> {
  const { dialect } = db
  const most = type === undefined && traceId === undefined ? limit + 1 : MAX_READ
  const start = startOf(workspaceId, before)
  const { by, where, order } = rangeOf(db, workspaceId, { after: leastEventId(db, retentionMs, after), start })
  const ofType = type === undefined ? raw('1 = 1') : sqlText`numbered.event_type = ${type}`
  const ofTrace = traceId === undefined ? raw('1 = 1') : sqlText`${TRACE_ID} = ${traceId}`
  const { rows } = await readByIndex<FoundEvent>(
    db,
    sqlText`
    with found as materialized (
      select id, workspace_id, event_type, created_at, trace_parent, deliveries from keepsend_events ${by}
      where ${where} order by ${order} ${dialect.first(most)} offset ${raw(String(start.skip))}),
    numbered as materialized (
      select found.*, row_number() over (partition by id order by workspace_id desc) as place from found),
    matched as materialized (
      select numbered.*, sum(deliveries) over (order by id desc, workspace_id desc) - deliveries as counted
      from numbered where ${ofType} and ${ofTrace}),
    page as materialized (
      select * from matched where counted < ${raw(String(MAX_COUNTED))}
      order by id desc, workspace_id desc ${dialect.first(limit + 1)}),
    left_off as (
      select id, workspace_id, place from page where (select count(*) from matched) > (select count(*) from page)
      union all
      select id, workspace_id, place from numbered
      where (select count(*) from matched) = (select count(*) from page)
        and (select count(*) from numbered) = ${raw(String(most))}),
    reached as (select id, place from left_off order by id, workspace_id ${dialect.first(1)}),
    ${counted(db)}
    select reached.id as "reachedId", reached.place as "reachedPlace", summary.*
    from (select 1 as one) as one left join reached on 1 = 1 left join summary on 1 = 1
    order by summary.id desc, summary."workspaceId" desc`,
  )
  return pageOf(rows, limit, (id, place) => positionOf(workspaceId, start, { id, place }))
}

/** An event with its payload, if that is stored. */
export type RecordedEvent = Pick<typeof events.$inferSelect, 'channels' | 'contentType' | 'version'> &
  ListedEvent & { payload: string | null }

/** Reads an event with its payload. */
export async function findRecordedEvent(
  db: OutboxDatabase,
  { workspaceId, eventId, retentionMs }: { workspaceId: string; eventId: string } & Retention,
): Promise<RecordedEvent | undefined> {
  const { rows } = await db.run<CountedEvent & { payload: string | null }>(sqlText`
    with page as materialized (
      select id, workspace_id, event_type, created_at, channels, content_type, version, trace_parent, payload_id, 1 as place from keepsend_events
      where id = ${eventId} and workspace_id = ${workspaceId} and id > ${leastEventId(db, retentionMs, undefined)}),
    ${counted(db)}
    select ${eventRows.some('page', ['channels', 'contentType', 'version'])},
      (select stored.payload from keepsend_payloads as stored where stored.id = page.payload_id and stored.event_id = page.id) as "payload", summary.*
    from summary join page on 1 = 1`)
  const [row] = rows
  if (!row) return undefined
  const { place: _, ...event } = row
  return { ...event, ...eventRows.read<'channels' | 'contentType' | 'version'>(row) }
}

/** The columns of `keepsend_events`. */
export const eventRows = createCodec<typeof events>({
  id: 'id',
  workspaceId: 'workspace_id',
  type: 'event_type',
  channels: json('channels'),
  createdAt: 'created_at',
  deliveries: 'deliveries',
  contentType: 'content_type',
  traceparent: 'trace_parent',
  searchValues: json('search_values'),
  payloadId: 'payload_id',
  version: 'version',
  copies: json('copies'),
})

/** Where a page begins: below this id, or, across all workspaces, behind so many events of this id. */
interface Start {
  id: string
  skip: number
}

// Several workspaces may have published under one id, so a position across all of them counts those that it has passed.
const POSITION = /^(evt_[\w-]+)\.([1-9][0-9]{0,5})$/

function startOf(workspaceId: string | undefined, before: string): Start {
  const [, id, skip] = (workspaceId === undefined && POSITION.exec(before)) || []
  return id === undefined ? { id: before, skip: 0 } : { id, skip: Number(skip) }
}

/** @param event its id, and its place among those of the id that the page has read */
function positionOf(
  workspaceId: string | undefined,
  start: Start,
  { id, place }: { id: string; place: number },
): string {
  if (workspaceId !== undefined) return id
  return `${id}.${place + (id === start.id ? start.skip : 0)}`
}

function rangeOf(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  workspaceId: string | undefined,
  { after, start }: { after: SqlText; start: Start },
): { by: SqlText; where: SqlText; order: SqlText } {
  if (workspaceId === undefined) {
    const upper = sqlText`${raw(start.skip === 0 ? 'id <' : 'id <=')} ${start.id}`
    return { by: raw(''), where: sqlText`id > ${after} and ${upper}`, order: raw('id desc, workspace_id desc') }
  }
  const { where, newestFirst } = dialect.ofWorkspace(workspaceId, { after, before: start.id })
  return { by: dialect.by('keepsend_events_workspace'), where, order: newestFirst }
}

/**
 * The deliveries of each event of a table `page`, by status, as a table `summary`. A delivered one has no row: its attempt says
 * so. Look-ups by key alone, whatever the planner expects: the other conditions are hidden in a `case`, and in a scalar.
 */
export function counted({ dialect }: Pick<OutboxDatabase, 'dialect'>): SqlText {
  const event = raw('page.id, page.workspace_id, page.place, page.event_type, page.created_at, page.trace_parent')
  return sqlText`
    tallied (id, workspace_id, place, event_type, created_at, trace_parent, status) as (
      select ${event}, cast(null as text) from page
      union all
      select ${event}, pending_events.status from page ${dialect.joinRowsOf(raw('page.id'))}
      where pending_events.workspace_id = page.workspace_id),
    counts as materialized (
      select id, workspace_id, min(place) as place, min(event_type) as event_type, min(created_at) as created_at,
        min(trace_parent) as trace_parent,
        count(case when status = 'pending' then 1 end) as pending, count(case when status = 'held' then 1 end) as held,
        count(case when status = 'completed' then 1 end) as completed, count(case when status = 'failed' then 1 end) as failed
      from tallied group by id, workspace_id),
    summary as (
      select id as "id", workspace_id as "workspaceId", place as "place", event_type as "type", created_at as "createdAt", ${TRACE_ID} as "traceId", pending as "pending", held as "held",
        completed + (
          select count(distinct attempt.delivery_id) from keepsend_attempts as attempt ${dialect.by('keepsend_attempts_delivery')}
          where attempt.delivery_id > counts.id || '.' and attempt.delivery_id < counts.id || '/'
            and case when attempt.workspace_id = counts.workspace_id and attempt.outcome = 'delivered' then (
              select standing.id from pending_events as standing where standing.id = attempt.delivery_id) is null else 1 = 0 end
        ) as "completed", failed as "failed"
      from counts)`
}

/** An event with its counts, and its place among the events of its id. */
export type CountedEvent = Row & ListedEvent & { place: number }

/** An event of the page, and where the search ended early. Without an event: one row with only that. */
type FoundEvent = Row & { reachedId: string | null; reachedPlace: number } & (CountedEvent | { id: null })

function pageOf(
  found: readonly FoundEvent[],
  limit: number,
  positionAt: (id: string, place: number) => string,
): Page<ListedEvent> {
  const rows = found.filter((row): row is FoundEvent & CountedEvent => row.id !== null)
  const shown = rows.slice(0, limit)
  const events = shown.map(({ reachedId: _, reachedPlace: _place, place: _own, ...row }) => row as ListedEvent)
  const last = shown.at(-1)
  if (last && rows.length > limit) return { rows: events, next: positionAt(last.id, last.place), complete: true }
  const [{ reachedId, reachedPlace } = { reachedId: null, reachedPlace: 0 }] = found
  const next = reachedId === null ? undefined : positionAt(reachedId, reachedPlace)
  return { rows: events, next, complete: next === undefined }
}
