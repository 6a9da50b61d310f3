import type { events } from '@keepsend/engine/sqlite/tables'
import type { OutboxDatabase } from '@keepsend/outbox'
import { type OptionNames, onlyRow, raw, sqlText } from '@keepsend/outbox/internal'
import { checkNames } from './errors.ts'

/** An event that was published, as the database has it. */
export interface PublishedEvent {
  id: string
  type: string
  workspaceId: string
  channels: string[]
  /** The data of the event. Of one with a `raw` body: the body, parsed if it is JSON. */
  data: unknown
  /** The content type of a raw body; null for an event with data. */
  contentType: string | null
}

/** Which published events to list. */
export interface PublishedFilter {
  type?: string | undefined
  workspaceId?: string | undefined
}

export const PUBLISHED_FILTER = { type: 'text', workspaceId: 'text' } satisfies OptionNames<PublishedFilter>

/** The key of the newest payload: each event that is published later has a higher one. */
export async function newestPayload(db: OutboxDatabase): Promise<number> {
  const { rows } = await db.run<{ id: number }>(sqlText`select coalesce(max(id), 0) as "id" from keepsend_payloads`)
  return onlyRow(rows).id
}

/** Lists the recorded events whose payload is newer, in the order in which they were published. */
export async function listPublished(
  db: OutboxDatabase,
  afterPayload: number,
  filter: PublishedFilter = {},
): Promise<PublishedEvent[]> {
  checkNames('published', PUBLISHED_FILTER, filter)
  const { type, workspaceId } = filter
  const { rows } = await db.run<StoredEvent>(sqlText`
    select event.id as "id", event.event_type as "type", event.workspace_id as "workspaceId",
      event.channels as "channels", event.content_type as "contentType", stored.payload as "payload"
    from keepsend_events as event join keepsend_payloads as stored on stored.id = event.payload_id
    where stored.id > ${afterPayload}
      ${type === undefined ? raw('') : sqlText`and event.event_type = ${type}`}
      ${workspaceId === undefined ? raw('') : sqlText`and event.workspace_id = ${workspaceId}`}
    order by stored.id`)
  return rows.map(({ payload, channels, ...event }) => ({
    ...event,
    channels: JSON.parse(channels) as string[],
    data: event.contentType === null ? (JSON.parse(payload) as { data: unknown }).data : bodyOf(payload),
  }))
}

type StoredEvent = Pick<typeof events.$inferSelect, 'id' | 'type' | 'workspaceId' | 'contentType'> & {
  channels: string
  payload: string
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
