import type { Dialect } from './dialect.ts'
import { type SqlText, clock, sqlText } from './statement.ts'

/**
 * Inserts deliveries again whose rows were deleted, for a replay: attempts 0, and due now or held for `holdFor`. Returns their
 * ids. A row that exists stays as it is.
 *
 * `gen` begins at the clock, and above the last known one of its earlier life, so a late settle of that life is lost.
 *
 * @param source a `select` of rows: `id`, `workspace_id`, `event_type`, `endpoint_id`, `max_attempts`, `payload_id`,
 *   `content_type`, `version`, `convert_to`, and `last_gen`, the highest known `gen` of its earlier life
 */
export function insertAgainStatement(
  { greatest, inKeyOrder }: Pick<Dialect, 'greatest' | 'inKeyOrder'>,
  source: SqlText,
  holdFor: string | undefined,
): SqlText {
  const gen = sqlText`${greatest}(${clock()}, last_gen + 1)`
  const state =
    holdFor === undefined
      ? sqlText`'pending', null, null, ${clock()}, 1`
      : sqlText`'held', ${holdFor}, ${clock()}, null, 0`
  return sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, max_attempts, payload_id, content_type,
      version, convert_to, gen, created_at, status, hold_reason, held_at, due_at, ready, replayed_at)
    select id, workspace_id, event_type, endpoint_id, max_attempts, payload_id, content_type,
      version, convert_to, ${gen}, ${gen}, ${state}, ${clock()}
    from (${source}) as earlier where true ${inKeyOrder} on conflict (id) do nothing
    returning id`
}
