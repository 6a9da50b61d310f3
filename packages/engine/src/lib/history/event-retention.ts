import type { OutboxDatabase, RetainedPayloads } from '@keepsend/outbox'
import { BEHIND_EVERY_EVENT, type DialectName, type SqlText, clock, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt } from '../id-at.ts'
import { deleteEvents } from './delete-events.ts'

/** The id above which an event is within its retention, and above `after`. */
export function leastEventId(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  retentionMs: number,
  after: string | undefined,
): SqlText {
  const first = firstIdAt(dialect.name, 'evt_', sqlText`${clock()} - ${retentionMs}`)
  return after === undefined ? first : sqlText`${dialect.greatest}(${BY_BYTES[dialect.name](after)}, ${first})`
}

const BY_BYTES: Record<DialectName, (id: string) => SqlText> = {
  sqlite: (id) => sqlText`${id}`,
  postgres: (id) => sqlText`cast(${id} as text) collate "C"`,
}

/**
 * Deletes events past their retention, by the time in their ids, at most `limit` of each kind a call. An id whose time is still
 * to come, which a caller may choose, is as old as its record.
 */
export function cleanupEvents(
  db: OutboxDatabase,
  { retentionMs, limit }: { retentionMs: number; limit: number },
): Promise<number> {
  const { dialect } = db
  const idAt = (ms: SqlText): SqlText => firstIdAt(dialect.name, 'evt_', ms)
  const oldest = sqlText`${clock()} - ${retentionMs}`
  const first = (where: SqlText): SqlText => sqlText`
    select event.id, event.workspace_id, event.created_at from keepsend_events as event
    where ${where} order by event.id ${dialect.first(limit)} ${dialect.lock('pick', 'event')}`
  return deleteEvents(
    db,
    sqlText`
      select past.id, past.workspace_id from (${first(sqlText`event.id > '' and event.id < ${idAt(oldest)}`)}) as past
      union all
      select ahead.id, ahead.workspace_id from (${first(sqlText`event.id > ${idAt(clock())} and event.id < ${BEHIND_EVERY_EVENT}`)}) as ahead
      where ahead.created_at < ${oldest}`,
  )
}

/**
 * The payloads of recorded events stay. Payloads and events are stored in the same order, nearly: a pass over payloads ends at
 * that of the oldest event, and does not read all that are retained. Copies in other versions stay with their event: a later
 * publish of it stores none.
 */
export const RETAINED_PAYLOADS: RetainedPayloads = {
  from: raw('(select oldest.payload_id from keepsend_events as oldest order by oldest.id limit 1)'),
  reference: raw(`(
      select event.id from keepsend_events as event
      where event.id = stored.event_id and (event.payload_id = stored.id or event.copies is not null and stored.version is not null) limit 1)`),
}
