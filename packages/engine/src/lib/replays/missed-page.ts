import type { OutboxDatabase, SqlResult } from '@keepsend/outbox'
import { CANCELLED, firstEventIdAt, raw, rowId, sqlText } from '@keepsend/outbox/internal'
import type { CatalogVersions, VersionedPayload } from '../catalog/catalog-versions.ts'
import { endpointRows } from '../codecs.ts'
import { type Condition, readFilter } from '../filters/content-filter.ts'
import { bodyOf, matches as evaluate } from '../filters/evaluate.ts'
import { replayedPayload } from '../history/replayed-payload.ts'
import { patternsOf } from '../publish/event.ts'
import { channelsOf } from '../publish/fan-out.ts'
import type { PageAt, ReplayPage, Searched } from './replay-page.ts'

// Events that a page reads at most; with their payloads, which may have 256 KiB each, fewer.
const MAX_READ = 2000
const MAX_READ_WITH_PAYLOADS = 100

/**
 * Events that match the subscriptions and the filter of an endpoint as they are now, and of which it got nothing: the delivery
 * failed, and nobody cancelled it, or there is none, and its last attempt, if it is retained, did not deliver. The oldest event first.
 */
export async function missedPage(
  { db, versions }: { db: OutboxDatabase; versions: CatalogVersions | undefined },
  { workspaceId, sinceAt, untilAt }: Searched,
  { endpointId, position, limit }: PageAt,
): Promise<ReplayPage> {
  const { dialect } = db
  const endpoint = await db.run(sqlText`
    select ${endpointRows.some('endpoint', ['eventTypes', 'channels', 'filter', 'eventVersion'])} from keepsend_endpoints as endpoint
    where endpoint.id = ${endpointId} and endpoint.workspace_id = ${workspaceId}`)
  if (!endpoint.rows[0]) return { ids: [], position, isLast: true }
  const subscribed = endpointRows.read<'eventTypes' | 'channels' | 'filter' | 'eventVersion'>(endpoint.rows[0])
  const condition = subscribed.filter ? readFilter(subscribed.filter) : undefined
  const most = condition ? MAX_READ_WITH_PAYLOADS : MAX_READ
  const label = sqlText`cast(${subscribed.eventVersion} as text)`
  const sent = replayedPayload(db, { label, oldest: versions?.oldest })
  const payload = condition
    ? sqlText`(select stored.payload from keepsend_payloads as stored where stored.id = ${sent.id}) as "payload",
      ${sent.version} as "version", ${sent.convertTo} as "convertTo"`
    : raw('null as "payload", null as "version", null as "convertTo"')
  const after = position === '' ? firstEventIdAt(sinceAt) : position
  const { where, oldestFirst } = dialect.ofWorkspace(workspaceId, { after, before: firstEventIdAt(untilAt) })
  const events: SqlResult<MissedEvent> = await db.run(sqlText`
    select id as "id", event_type as "type", channels as "channels", content_type as "contentType", ${payload}
    from keepsend_events as event ${dialect.by('keepsend_events_workspace')}
    where ${where} order by ${oldestFirst} ${dialect.first(most)}`)
  const matching = events.rows
    .filter((event) => matches(subscribed, event) && passes(condition, event, versions))
    .map(({ id }) => rowId(id, endpointId))
  const missed = matching.length === 0 ? [] : await missedOf(db, matching, { workspaceId, untilAt })
  const ids = missed.slice(0, limit)
  const isRead = ids.length === missed.length
  const last = isRead ? events.rows.at(-1)?.id : ids.at(-1)?.slice(0, events.rows[0]?.id.length)
  return { ids, position: last ?? position, isLast: isRead && events.rows.length < most }
}

interface MissedEvent {
  id: string
  type: string
  channels: string
  contentType: string | null
  /** Null: it was not read, or is no longer stored. */
  payload: string | null
  version: string | null
  convertTo: string | null
}

/**
 * One whose payload is no longer stored passes, and is counted as that. So does one that cannot be converted to the version of
 * the endpoint: its delivery says so.
 */
function passes(
  condition: Condition | undefined,
  { payload, contentType, ...event }: MissedEvent,
  versions: CatalogVersions | undefined,
): boolean {
  if (!condition || payload === null) return true
  const sent = versions ? convertedOr(versions, { ...event, payload }) : payload
  return sent === undefined || evaluate(condition, bodyOf({ payload: sent, contentType }))
}

function convertedOr(versions: CatalogVersions, event: VersionedPayload): string | undefined {
  try {
    return versions.convert(event).payload
  } catch {
    return undefined
  }
}

interface Subscribed {
  eventTypes: readonly string[]
  channels: readonly string[]
}

/** As the fan-out matches. */
function matches(
  { eventTypes, channels }: Subscribed,
  { type, ...event }: { type: string; channels: string },
): boolean {
  if (!patternsOf(type).some((pattern) => eventTypes.includes(pattern))) return false
  if (channels.length === 0) return true
  return channelsOf({ channels: JSON.parse(event.channels) as string[] }).some((channel) => channels.includes(channel))
}

/** Scalar queries, of one look-up each: a planner would make a join of a `not exists`. */
async function missedOf(
  db: OutboxDatabase,
  ids: readonly string[],
  { workspaceId, untilAt }: Pick<Searched, 'workspaceId' | 'untilAt'>,
): Promise<string[]> {
  const { dialect } = db
  const { rows } = await db.run<{ id: string }>(sqlText`
    select wanted.id as "id" from ${dialect.rows('wanted', ids, { id: ['text', (id) => id] })}
    where coalesce((
        select case when stored.status = 'failed' and stored.completed_at < ${untilAt} and stored.workspace_id = ${workspaceId}
            and coalesce(stored.last_error, '') <> ${CANCELLED}
          then 1 else 0 end
        from pending_events as stored where stored.id = wanted.id), 1) = 1
      and coalesce((
        select attempt.outcome from keepsend_attempts as attempt ${dialect.by('keepsend_attempts_delivery')}
        where attempt.delivery_id = wanted.id order by attempt.gen desc ${dialect.first(1)}), '') <> 'delivered'
    order by wanted.id`)
  return rows.map(({ id }) => id)
}
