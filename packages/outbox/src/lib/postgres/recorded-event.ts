import type { Dialect, Payload, Stored } from '../dialect.ts'
import type { EventRecord } from '../event-record.ts'
import { raw, sqlText } from '../statement.ts'

export function storeRecorded({ eventId, payload }: Payload, { earlier, only }: EventRecord): Stored {
  return {
    before: [],
    ctes: [
      sqlText`earlier as materialized (${earlier})`,
      sqlText`stored as (
      insert into keepsend_payloads (event_id, payload)
      select cast(${eventId} as text), cast(${payload} as text) where ${only} and not exists (select 1 from earlier)
      returning id)`,
    ],
    join: raw(''),
    id: raw('coalesce((select payload_id from earlier), (select id from stored))'),
  }
}

/** One statement: the rows that it counts are those that it inserts, whatever is published concurrently. */
export const insertRecorded: Dialect['insertRecorded'] = ({ ctes, insert, returned, copies }, _event, record) => {
  const recorded = record.insert({
    from: raw('stored where true'),
    deliveries: raw('(select count(*) from made)'),
    copies,
  })
  const index = record.index ? sqlText` returning *), indexed as (${record.index(raw('recorded'))}` : raw('')
  return {
    insert: sqlText`with ${ctes}, made as (${insert}), recorded as (${recorded}${index}) select ${returned} from made`,
    after: [],
  }
}
