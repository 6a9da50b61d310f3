import type { Dialect } from './dialect.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'

/**
 * Inserts deliveries again whose rows were deleted, for a replay: due now, attempts 0. Returns their ids. The insert
 * fails if there is such a row; with `holdFor` that row stays, and the others are inserted as held for this reason.
 *
 * `gen` begins at the clock, and above the last known one of its earlier life, so a late settle of that life is lost.
 *
 * @param source a `select` of rows: `id`, `workspace_id`, `event_type`, `endpoint_id`, `max_attempts`, `payload_id`,
 *   `content_type`, `version`, `convert_to`, and `last_gen`, the highest known `gen` of its earlier life
 */
export function insertAgainStatement(
  { greatest, inKeyOrder }: Pick<Dialect, 'greatest' | 'inKeyOrder'>,
  source: SqlText,
  holdFor?: string,
): SqlText {
  const gen = sqlText`${greatest}(${clock()}, last_gen + 1)`
  const isHeld = holdFor !== undefined
  const state = isHeld
    ? sqlText`'held', ${holdFor}, ${clock()}, null, 0`
    : sqlText`'pending', null, null, ${clock()}, 1`
  return sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, max_attempts, payload_id, content_type,
      version, convert_to, gen, created_at, status, hold_reason, held_at, due_at, ready, replayed_at)
    select id, workspace_id, event_type, endpoint_id, max_attempts, payload_id, content_type,
      version, convert_to, ${gen}, ${gen}, ${state}, ${clock()}
    from (${source}) as earlier ${isHeld ? sqlText`where true ${inKeyOrder} on conflict (id) do nothing` : raw('')}
    returning id`
}
