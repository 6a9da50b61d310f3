import type { OutboxDatabase } from '@keepsend/outbox'
import { type EventRecord, clock, sqlText } from '@keepsend/outbox/internal'

/** The parts of a published event that its record has. */
export interface RecordableEvent {
  id: string
  workspaceId: string
  type: string
  channels: readonly string[]
  contentType: string | null
}

/**
 * The record of an event, inserted with its deliveries: once, however often the event is published. A later publish that
 * inserts more of them sends the recorded payload.
 *
 * @param only see {@link EventRecord}
 */
export function eventRecord(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { id, workspaceId, type, channels, contentType }: RecordableEvent,
  only: EventRecord['only'],
): EventRecord {
  return {
    only,
    // A scalar: SQLite takes 40 µs for a join of the two, and 4 so (measured). The lock keeps retention from deleting the record, and then the payload, before the new rows are visible.
    earlier: sqlText`
      select event.payload_id, event.content_type from keepsend_events as event
      where event.id = ${id} and event.workspace_id = ${workspaceId} and (
        select stored.id from keepsend_payloads as stored where stored.id = event.payload_id and stored.event_id = event.id) is not null
      ${dialect.lock('share', 'event')}`,
    // A record whose payload is gone takes the new one. On Postgres it is compared with the record that the statement sees: one of a
    // concurrent publish has a payload that the statement does not see.
    insert: ({ from, deliveries }) => sqlText`
      insert into keepsend_events
        (id, workspace_id, event_type, channels, created_at, deliveries, content_type, payload_id)
      select cast(${id} as text), cast(${workspaceId} as text), cast(${type} as text),
        cast(${JSON.stringify(channels)} as text), ${clock()}, ${deliveries}, cast(${contentType} as text), stored.id
      from ${from}
      on conflict (id, workspace_id) do update set payload_id = excluded.payload_id, content_type = excluded.content_type
      where keepsend_events.payload_id = (
        select seen.payload_id from keepsend_events as seen
        where seen.id = excluded.id and seen.workspace_id = excluded.workspace_id and (
          select lost.id from keepsend_payloads as lost where lost.id = seen.payload_id and lost.event_id = seen.id) is null)`,
  }
}
