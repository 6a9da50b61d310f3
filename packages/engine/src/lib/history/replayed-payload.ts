import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'

/** The columns of a payload that is sent again, in terms of a recorded `event`. */
interface ReplayedPayload {
  id: SqlText
  version: SqlText
  convertTo: SqlText
}

/**
 * A recorded event for an endpoint: the copy in its version, if one is stored, otherwise the event's own payload, which the worker
 * converts.
 *
 * @param how.label the label of the endpoint; null: it was made without one
 * @param how.oldest the oldest label of the catalog; undefined: it has no versions
 */
export function replayedPayload(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { label, oldest }: { label: SqlText; oldest: string | undefined },
): ReplayedPayload {
  const wanted = oldest === undefined ? label : sqlText`coalesce(${label}, cast(${oldest} as text))`
  const copy = dialect.entryOf(raw('event.copies'), wanted)
  return {
    id: sqlText`coalesce(${copy}, event.payload_id)`,
    version: sqlText`case when ${copy} is null then event.version else ${wanted} end`,
    convertTo: sqlText`case when ${copy} is null and event.version <> ${wanted} then ${wanted} end`,
  }
}
