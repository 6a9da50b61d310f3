import { type FindOptions, type OutboxDatabase, findStatement } from '@keepsend/outbox'
import {
  BEHIND_EVERY_EVENT,
  type Row,
  eventIdIn,
  limitTo,
  pendingEvents,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { keysBetween } from '../deliveries/delivery-filter.ts'
import { type Found, pageOf } from '../deliveries/found-page.ts'
import { eventRows } from '../events/recorded-events.ts'
import { readByIndex } from '../history/read-by-index.ts'
import type { TimeRange } from '../time-range.ts'
import type { ExportPage } from './export-position.ts'

interface At extends TimeRange {
  workspaceId: string
  before: string | undefined
}

// A payload has up to 256 KiB, so a page up to 13 MB.
const LIMIT = 50

/** Rows of `pending_events`, the newest event first. Where the event is recorded, its line has the payload. */
export async function deliveriesPage(
  db: OutboxDatabase,
  anyState: () => Promise<FindOptions['by']>,
  at: At,
): Promise<ExportPage> {
  const read = async (by: FindOptions['by']): Promise<Found<Row & { id: string }>[]> => {
    const { before, after } = keysBetween(at, at.before ?? BEHIND_EVERY_EVENT)
    const options = { workspaceId: at.workspaceId, before, after, by, rows: LIMIT + 1, shows: 'all' } as const
    const { rows } = await db.run<Found<Row & { id: string }>>(sqlText`
      ${findStatement(db, options)}
      select reached.id as "reached", reached.complete as "complete", ${pendingEvents.except(['payload'], 'pending_events')},
        case when (select 1 from keepsend_events as event
          where event.id = ${eventIdIn(raw('pending_events.id'))} and event.workspace_id = pending_events.workspace_id) is null
          then ${PAYLOAD} end as "payload"
      from reached left join pending_events on pending_events.id ${db.dialect.among(REACHED)}
      order by pending_events.id desc ${limitTo(LIMIT + 1)}`)
    return rows
  }
  const found = await read(await anyState())
  // Beside many rows that wait, some in flight may be missing: the keys of all workspaces have every row.
  const rows = found[0]?.complete === 1 ? found : await read('keys')
  return pageOf(rows, LIMIT, ({ reached: _reached, complete: _complete, ...row }) => row)
}

const REACHED = raw('select found.id from found where found.id >= (select reached.id from reached)')
const PAYLOAD = raw(
  'coalesce(pending_events.payload, (select stored.payload from keepsend_payloads as stored where stored.id = pending_events.payload_id))',
)

/** Recorded events, newest first, with their payloads. */
export async function eventsPage(db: OutboxDatabase, at: At): Promise<ExportPage> {
  const { dialect } = db
  const { before, after } = keysBetween(at, at.before ?? BEHIND_EVERY_EVENT)
  const { where, newestFirst } = dialect.ofWorkspace(at.workspaceId, { before, after: after ?? '' })
  const { rows } = await readByIndex<Row & { id: string }>(
    db,
    sqlText`
    select ${eventRows.except(['payloadId', 'copies'], 'event')}, (
      select stored.payload from keepsend_payloads as stored where stored.id = event.payload_id and stored.event_id = event.id) as "payload"
    from (
      select * from keepsend_events ${dialect.by('keepsend_events_workspace')}
      where ${where} order by ${newestFirst} ${dialect.first(LIMIT)}) as event
    order by event.id desc`,
  )
  const last = rows.at(-1)?.id
  return { rows: rows.map((row) => eventRows.read(row)), next: rows.length === LIMIT ? last : undefined }
}
