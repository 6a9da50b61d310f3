import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, eventIdOf, insertAgainStatement, raw, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { replayedPayload } from '../history/replayed-payload.ts'
import { retainedAttempts } from '../history/retained-attempts.ts'
import { isErased } from '../history/tombstones.ts'
import { DEFAULT_RETRY_SCHEDULE } from '../retry-schedule.ts'

// For a delivery of a deleted endpoint: its attempt fails, as that of any other of its deliveries.
const ATTEMPTS = raw(String(DEFAULT_RETRY_SCHEDULE.length + 1))

interface Key {
  workspaceId: string
  id: string
}

/**
 * Inserts a delivered delivery again whose row is gone, from its last attempt, its event and the event's payload; without one of
 * them it inserts nothing. The event is locked, so that retention does not delete it, and then its payload, before the row is visible.
 */
export function insertAgain(
  { dialect }: OutboxDatabase,
  history: HistoryOptions,
  { workspaceId, id, oldest }: Key & { oldest?: string | undefined },
): SqlText {
  const ofEndpoint = (column: string): SqlText =>
    raw(`(
          select endpoint.${column} from keepsend_endpoints as endpoint
          where endpoint.id = last.endpoint_id and endpoint.workspace_id = last.workspace_id)`)
  const payload = replayedPayload({ dialect }, { label: ofEndpoint('event_version'), oldest })
  return insertAgainStatement(
    dialect,
    sqlText`
      select last.delivery_id as id, last.workspace_id, last.event_type, last.endpoint_id, ${payload.id} as payload_id, event.content_type,
        ${payload.version} as version, ${payload.convertTo} as convert_to, last.gen as last_gen,
        coalesce(${ofEndpoint('max_attempts')}, ${ATTEMPTS}) as max_attempts
      from (${deliveredAttempt({ dialect }, history, { workspaceId, id })}) as last
        join keepsend_events as event on event.id = ${eventIdOf(id)} and event.workspace_id = last.workspace_id
        join keepsend_payloads as stored on stored.id = event.payload_id and stored.event_id = event.id
      where not ${isErased({ workspaceId: raw('event.workspace_id'), eventId: raw('event.id') })}
      ${dialect.lock('share', 'event')}`,
  )
}

/** The error of a replay that found neither a row nor what it could be inserted from. */
export async function whyNotRetained(
  db: OutboxDatabase,
  history: HistoryOptions | undefined,
  key: Key,
): Promise<EngineError> {
  const { rows } = history ? await db.run(deliveredAttempt(db, history, key)) : { rows: [] }
  return new EngineError(
    'not_retained',
    rows.length === 0
      ? 'this delivery does not exist, or is no longer stored'
      : 'the payload of this delivery is no longer stored, so it cannot be sent again',
  )
}

/** The last attempt of a delivery, if it is one that delivered and is retained. */
function deliveredAttempt(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  history: HistoryOptions,
  { workspaceId, id }: Key,
): SqlText {
  return sqlText`
    select last.* from (
      select attempt.id, attempt.delivery_id, attempt.workspace_id, attempt.event_type, attempt.endpoint_id, attempt.gen, attempt.outcome
      from keepsend_attempts as attempt ${dialect.by('keepsend_attempts_delivery')}
      where attempt.delivery_id = ${id} and attempt.workspace_id = ${workspaceId}
      order by attempt.gen desc ${dialect.first(1)}) as last
    where last.outcome = 'delivered' and last.id >= ${retainedAttempts({ dialect }, { ...history, workspaceId }).least}`
}
