import type { OutboxDatabase } from '@keepsend/outbox'
import { type EventRecord, type PayloadVersions, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { indexValues, searchValues } from './search-values.ts'

/** The parts of a published event that its record has. */
interface RecordableEvent {
  id: string
  workspaceId: string
  type: string
  channels: readonly string[]
  contentType: string | null
  traceparent: string | undefined
  payload: string
  versions?: PayloadVersions | undefined
}

/** The trace id in the trace context of a row of `keepsend_events`; null without one. */
export const TRACE_ID = raw('substr(trace_parent, 4, 32)')

/**
 * The record of an event, inserted with its deliveries: once, however often the event is published. A later publish that
 * inserts more of them sends the recorded payload.
 *
 * @param how.only see {@link EventRecord}
 * @param how.searchPaths the paths of `history.search`
 */
export function eventRecord(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { id, workspaceId, type, channels, contentType, traceparent, payload, versions }: RecordableEvent,
  { only, searchPaths = [] }: Pick<EventRecord, 'only'> & { searchPaths?: readonly string[] | undefined },
): EventRecord {
  const values = searchPaths.length > 0 ? searchValues(payload, searchPaths) : NO_VALUES
  const list = values.length > 0 ? JSON.stringify(Object.fromEntries(values)) : undefined
  const search = list === undefined ? NOT_FOUND : { column: COLUMN, value: sqlText`, cast(${list} as text)` }
  return {
    only,
    // A scalar: SQLite takes 40 µs for a join of the two, and 4 so (measured). The lock keeps retention from deleting the record, and then the payload, before the new rows are visible.
    earlier: sqlText`
      select event.payload_id, event.content_type${versions ? EARLIER_VERSIONS : raw('')} from keepsend_events as event
      where event.id = ${id} and event.workspace_id = ${workspaceId} and (
        select stored.id from keepsend_payloads as stored where stored.id = event.payload_id and stored.event_id = event.id) is not null
      ${dialect.lock('share', 'event')}`,
    // A record whose payload is gone takes the new one. On Postgres it is compared with the record that the statement sees: one of a
    // concurrent publish has a payload that the statement does not see.
    insert: ({ from, deliveries, copies = raw('null') }) => sqlText`
      insert into keepsend_events
        (id, workspace_id, event_type, channels, created_at, deliveries, content_type, trace_parent, payload_id${search.column}${versions ? VERSION_COLUMNS : raw('')})
      select cast(${id} as text), cast(${workspaceId} as text), cast(${type} as text),
        cast(${JSON.stringify(channels)} as text), ${clock()}, ${deliveries}, cast(${contentType} as text),
        cast(${traceparent ?? null} as text), stored.id${search.value}${versions ? sqlText`, cast(${versions.labels[0]} as text), ${copies}` : raw('')}
      from ${from}
      on conflict (id, workspace_id) do update set payload_id = excluded.payload_id, content_type = excluded.content_type${versions ? SET_VERSIONS : raw('')}
      where keepsend_events.payload_id = (
        select seen.payload_id from keepsend_events as seen
        where seen.id = excluded.id and seen.workspace_id = excluded.workspace_id and (
          select lost.id from keepsend_payloads as lost where lost.id = seen.payload_id and lost.event_id = seen.id) is null)`,
    index: list === undefined ? undefined : (recorded) => indexValues({ id, workspaceId }, values, { list, recorded }),
  }
}

const EARLIER_VERSIONS = raw(', event.version, event.copies')
const VERSION_COLUMNS = raw(', version, copies')
const SET_VERSIONS = raw(', version = excluded.version, copies = excluded.copies')
const COLUMN = raw(', search_values')
const NOT_FOUND = { column: raw(''), value: raw('') }
const NO_VALUES: [] = []
