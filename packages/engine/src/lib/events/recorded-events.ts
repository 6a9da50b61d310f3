import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, createCodec, json, raw, sqlText } from '@keepsend/outbox/internal'
import type { EventSummary } from '../deliveries/delivery-list.ts'
import type { Page } from '../page.ts'
import type { events } from '../sqlite/history-tables.ts'

/** Which recorded events to list. */
export interface RecordedEventFilter {
  limit: number
  type: string | undefined
  /** Ids above this one and below that one. */
  after: string | undefined
  before: string
}

// Events that a page reads at most, if it leaves some out; and deliveries that it counts, beside those of its last event.
const MAX_READ = 2000
const MAX_COUNTED = 2000

/** Lists the events of one workspace; of all workspaces without one. */
export async function listRecordedEvents(
  db: OutboxDatabase,
  workspaceId: string | undefined,
  { limit, type, after = '', before }: RecordedEventFilter,
): Promise<Page<EventSummary>> {
  const { dialect } = db
  const most = type === undefined ? limit + 1 : MAX_READ
  const { by, where, order } = rangeOf(db, workspaceId, { after, before })
  const matches = type === undefined ? raw('1 = 1') : sqlText`found.event_type = ${type}`
  const { rows } = await db.run<FoundEvent>(sqlText`
    with found as materialized (
      select id, workspace_id, event_type, created_at, deliveries from keepsend_events ${by}
      where ${where} order by ${order} ${dialect.first(most)}),
    matched as materialized (
      select found.*, sum(deliveries) over (order by id desc) - deliveries as counted from found where ${matches}),
    page as materialized (
      select * from matched where counted < ${raw(String(MAX_COUNTED))} order by id desc ${dialect.first(limit + 1)}),
    reached as (
      select case when (select count(*) from matched) > count(page.id) then min(page.id)
        when (select count(*) from found) = ${raw(String(most))} then (select min(found.id) from found) end as id
      from page),
    ${counted(db)}
    select reached.id as "reached", summary.*
    from reached left join summary on 1 = 1
    order by summary.id desc`)
  return pageOf(rows, limit)
}

/** An event with its payload, if that is stored. */
export type RecordedEvent = Pick<typeof events.$inferSelect, 'channels' | 'contentType'> &
  EventSummary & { payload: string | null }

/** Reads an event with its payload. */
export async function findRecordedEvent(
  db: OutboxDatabase,
  workspaceId: string,
  eventId: string,
): Promise<RecordedEvent | undefined> {
  const { rows } = await db.run<Row & EventSummary & { payload: string | null }>(sqlText`
    with page as materialized (
      select id, workspace_id, event_type, created_at, channels, content_type, payload_id from keepsend_events
      where id = ${eventId} and workspace_id = ${workspaceId}),
    ${counted(db)}
    select ${columns.some('page', ['channels', 'contentType'])},
      (select stored.payload from keepsend_payloads as stored where stored.id = page.payload_id) as "payload", summary.*
    from summary join page on 1 = 1`)
  const [row] = rows
  return row && { ...row, ...columns.read<'channels' | 'contentType'>(row) }
}

const columns = createCodec<typeof events>({
  id: 'id',
  workspaceId: 'workspace_id',
  type: 'event_type',
  channels: json('channels'),
  createdAt: 'created_at',
  deliveries: 'deliveries',
  contentType: 'content_type',
  payloadId: 'payload_id',
})

function rangeOf(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  workspaceId: string | undefined,
  { after, before }: { after: string; before: string },
): { by: SqlText; where: SqlText; order: SqlText } {
  if (workspaceId === undefined)
    return { by: raw(''), where: sqlText`id > ${after} and id < ${before}`, order: raw('id desc') }
  const { where, newestFirst } = dialect.ofWorkspace(workspaceId, { after, before })
  return { by: dialect.by('keepsend_events_workspace'), where, order: newestFirst }
}

/**
 * The deliveries of each event of a table `page`, by status, as a table `summary`. A delivered one has no row: its attempt says
 * so. Look-ups by key alone, whatever the planner expects: the other conditions are hidden in a `case`, and in a scalar.
 */
function counted({ dialect }: Pick<OutboxDatabase, 'dialect'>): SqlText {
  const event = raw('page.id, page.workspace_id, page.event_type, page.created_at')
  return sqlText`
    tallied (id, workspace_id, event_type, created_at, status) as (
      select ${event}, cast(null as text) from page
      union all
      select ${event}, pending_events.status from page ${dialect.joinRowsOf(raw('page.id'))}
      where pending_events.workspace_id = page.workspace_id),
    counts as materialized (
      select id, workspace_id, min(event_type) as event_type, min(created_at) as created_at,
        count(case when status = 'pending' then 1 end) as pending, count(case when status = 'held' then 1 end) as held,
        count(case when status = 'completed' then 1 end) as completed, count(case when status = 'failed' then 1 end) as failed
      from tallied group by id, workspace_id),
    summary as (
      select id as "id", event_type as "type", created_at as "createdAt", pending as "pending", held as "held",
        completed + (
          select count(distinct attempt.delivery_id) from keepsend_attempts as attempt ${dialect.by('keepsend_attempts_delivery')}
          where attempt.delivery_id > counts.id || '.' and attempt.delivery_id < counts.id || '/'
            and case when attempt.workspace_id = counts.workspace_id and attempt.outcome = 'delivered' then (
              select standing.id from pending_events as standing where standing.id = attempt.delivery_id) is null else 1 = 0 end
        ) as "completed", failed as "failed"
      from counts)`
}

/** An event of the page, and the id at which the search ended early. Without an event: one row with only that. */
type FoundEvent = Row & { reached: string | null } & (EventSummary | { id: null })

function pageOf(found: readonly FoundEvent[], limit: number): Page<EventSummary> {
  const rows = found.filter((row): row is FoundEvent & EventSummary => row.id !== null)
  const shown = rows.slice(0, limit).map(({ reached: _, ...row }) => row as EventSummary)
  if (rows.length > limit) return { rows: shown, next: shown.at(-1)?.id, complete: true }
  const reached = found[0]?.reached ?? undefined
  return { rows: shown, next: reached, complete: reached === undefined }
}
