import type { Dialect, Payload, Stored } from '../dialect.ts'
import type { EventRecord } from '../event-record.ts'
import { eventRange } from '../row-id.ts'
import { raw, sqlText } from '../statement.ts'

export const STORE = raw('insert into keepsend_payloads (event_id, payload)')

/** There is one writer: after its insert, the payload of a publish is the last one. */
export const LAST_PAYLOAD = raw('from keepsend_payloads where id = (select max(id) from keepsend_payloads)')

export function storeRecorded({ eventId, payload }: Payload, { earlier, only }: EventRecord): Stored {
  return {
    before: [sqlText`${STORE} select ${eventId}, ${payload} where ${only} and not exists (${earlier})`],
    ctes: [sqlText`earlier as materialized (${earlier})`],
    join: raw(''),
    id: sqlText`coalesce((select payload_id from earlier), (select id ${LAST_PAYLOAD} and event_id = ${eventId}))`,
  }
}

/** The record names the last payload, if it is one of this event: a publish that stored none records nothing. */
export const insertRecorded: Dialect['insertRecorded'] = (
  { ctes, insert, copies },
  { eventId, workspaceId },
  record,
) => ({
  insert: sqlText`with ${ctes} ${insert}`,
  after: [
    record.insert({
      from: sqlText`(select id ${LAST_PAYLOAD} and event_id = ${eventId}) as stored where true`,
      deliveries: sqlText`(
        select count(*) from pending_events where ${eventRange(eventId)} and workspace_id = ${workspaceId})`,
      copies,
    }),
    ...(record.index ? [record.index(undefined)] : []),
  ],
})
