import type { Dialect } from './dialect.ts'
import { type SqlText, clock, sqlText } from './statement.ts'

/**
 * Inserts a delivery again whose row was deleted, for a replay: due now, attempts 0. Returns its id. The insert fails
 * if there is such a row.
 *
 * `gen` begins at the clock, and above the last known one of its earlier life, so a late settle of that life is lost.
 *
 * @param source a `select` of at most one row: `id`, `workspace_id`, `event_type`, `endpoint_id`, `max_attempts`,
 *   `payload_id`, `content_type`, and `last_gen`, the highest known `gen` of its earlier life
 */
export function insertAgainStatement({ greatest }: Pick<Dialect, 'greatest'>, source: SqlText): SqlText {
  const gen = sqlText`${greatest}(${clock()}, last_gen + 1)`
  return sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, max_attempts, payload_id, content_type,
      gen, created_at, due_at, ready, replayed_at)
    select id, workspace_id, event_type, endpoint_id, max_attempts, payload_id, content_type,
      ${gen}, ${gen}, ${clock()}, 1, ${clock()}
    from (${source}) as earlier
    returning id`
}
