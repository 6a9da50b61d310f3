import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, eventIdIn, insertAgainStatement, raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAt, firstIdAtTime } from '../history/attempt-id.ts'
import { replayedPayload } from '../history/replayed-payload.ts'
import { isErased } from '../history/tombstones.ts'
import { ownRetention } from '../history/workspace-retention.ts'
import type { HoldReason } from '../outcome.ts'
import type { InsertedAgain } from './replay-page.ts'

/** Deliveries of one endpoint that a step takes. */
export interface TakenIds {
  ids: readonly string[]
  workspaceId: string
  endpointId: string
  /** @default whenever it was delivered */
  untilAt?: number | undefined
  /** The oldest label of the catalog; undefined: it has no versions. */
  oldest: string | undefined
  /** The condition that the step stands. */
  guard: SqlText
}

/**
 * Inserts those of the deliveries again that have no row, from their events and payloads. A delivered one must have been delivered
 * before `untilAt`. The events are locked, so that retention does not delete them, and then their payloads, before the rows are
 * visible.
 *
 * @param holdFor undefined: they are due now
 */
export function insertTaken(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  { ids, workspaceId, endpointId, untilAt, oldest, guard }: TakenIds,
  { which, retentionMs }: InsertedAgain,
  holdFor: HoldReason | undefined,
): SqlText {
  const last = (column: string): SqlText => sqlText`(
          select attempt.${raw(column)} from keepsend_attempts as attempt ${dialect.by('keepsend_attempts_delivery')}
          where attempt.delivery_id = listed.id order by attempt.gen desc ${dialect.first(1)})`
  const retained = ownRetention({ dialect }, 'attempts_ms', { workspaceId, mostMs: retentionMs })
  const until =
    untilAt === undefined
      ? raw('')
      : sqlText`and wanted.attempt_id < cast(${firstIdAtTime(dialect.name, untilAt)} as bigint)`
  const isWanted =
    which === 'missed'
      ? raw(`coalesce(wanted.outcome, '') <> 'delivered'`)
      : sqlText`wanted.outcome = 'delivered' ${until}
        and wanted.attempt_id >= ${firstIdAt(dialect.name, sqlText`${clock()} - ${retained}`)}`
  const payload = replayedPayload({ dialect }, { label: raw('endpoint.event_version'), oldest })
  return insertAgainStatement(
    dialect,
    sqlText`
      with wanted as materialized (
        select listed.id, ${eventIdIn(raw('listed.id'))} as event_id, ${last('gen')} as gen, ${last('outcome')} as outcome,
          ${last('id')} as attempt_id, (select 1 from pending_events as found where found.id = listed.id) as has_row
        from ${dialect.rows('listed', ids, { id: ['text', (id) => id] })})
      select wanted.id, event.workspace_id, event.event_type, endpoint.id as endpoint_id, ${payload.id} as payload_id,
        event.content_type, ${payload.version} as version, ${payload.convertTo} as convert_to,
        coalesce(wanted.gen, 0) as last_gen, endpoint.max_attempts
      from wanted
        join keepsend_events as event on event.id = wanted.event_id and event.workspace_id = ${workspaceId}
        join keepsend_payloads as stored on stored.id = event.payload_id and stored.event_id = event.id
        join keepsend_endpoints as endpoint on endpoint.id = ${endpointId} and endpoint.workspace_id = ${workspaceId}
      where event.id ${dialect.among(sqlText`select event_id from wanted`)}
        and wanted.has_row is null and ${isWanted} and ${guard}
        and not ${isErased({ workspaceId: raw('event.workspace_id'), eventId: raw('event.id') })}
      ${dialect.lock('share', 'event')}`,
    holdFor,
  )
}
