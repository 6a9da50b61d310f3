import { type SqlText, joined, raw, sqlText } from '@keepsend/outbox/internal'

/** An event as a statement names it: each is an expression. */
interface Named {
  workspaceId: SqlText
  eventId: SqlText
  /** Looks for an erasure of this endpoint too. */
  endpointId?: SqlText | undefined
}

/**
 * The condition that an erasure covers an event, or a delivery of it. It stands in every statement that inserts rows of an event
 * which was published before: those of a message, of a replay and of a lost settle.
 */
export function isErased({ workspaceId, eventId, endpointId }: Named): SqlText {
  const targets = [raw(`''`), eventId, ...(endpointId ? [endpointId] : [])]
  return sqlText`exists (
        select 1 from keepsend_erasures as erased
        where erased.workspace_id = ${workspaceId} and erased.target in (${joined(targets, ', ')})
          and erased.from_id <= ${eventId} and erased.to_id > ${eventId})`
}
