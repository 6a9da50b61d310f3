import type { OutboxDatabase } from './database.ts'
import type { OptionNames } from './options.ts'
import { checkBounds, checkNames } from './errors.ts'
import { CANCELLED } from './row.ts'
import { eventRange } from './row-id.ts'
import { type SqlText, raw, sqlText } from './statement.ts'
import { endSet } from './transitions.ts'

export interface CancelOptions {
  eventId: string
  workspaceId: string
  /** Rows at most, in the order of their keys: 1–10,000. */
  limit: number
}

export const CANCEL_OPTIONS = {
  eventId: 'text',
  workspaceId: 'text',
  limit: 'number',
} satisfies OptionNames<CancelOptions>

// A wait that the receiver asked for and the first crashes are attempts that do not count: the status and the crash say
// so. A mark is that of a worker in flight, or of one that died.
const UNATTEMPTED = raw(`status in ('pending', 'held') and attempts = 0 and crashes = 0 and last_status is null
        and claimed_at is null and replayed_at is null`)

/**
 * Fails the deliveries of an event that no attempt was made of and no worker holds, with {@link CANCELLED}. Their `gen`
 * rises, so a message on its way is stale.
 *
 * It waits for rows that another transaction has locked, in key order as every statement that waits, and then compares
 * them again: of a claim and a cancel, the first to commit gets the row. A skipped row would be sent after all.
 */
export function cancelStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, options: CancelOptions): SqlText {
  checkNames('cancelStatement', CANCEL_OPTIONS, options)
  const { eventId, workspaceId, limit } = options
  checkBounds('limit', limit, 1, 10_000)
  const found = sqlText`
      select id from pending_events where ${eventRange(eventId)} and workspace_id = ${workspaceId} and ${UNATTEMPTED}
      order by id ${dialect.first(limit)} ${dialect.lock('wait', 'pending_events')}`
  return sqlText`
    update pending_events set ${endSet(CANCELLED)}
    where id ${dialect.among(found)} and case when ${UNATTEMPTED} then true else false end`
}
