import {
  type OutboxDatabase,
  type ResumedRow,
  type SqlResult,
  type Transaction,
  resumeStatement,
} from '@keepsend/outbox'
import {
  type SqlText,
  clock,
  eventIdOf,
  eventIdTime,
  firstEventIdAt,
  isEventId,
  raw,
  sqlText,
} from '@keepsend/outbox/internal'
import { firstHeld } from './first-held.ts'
import { isPaused, notBeforePause } from './pause.ts'
import { jittered } from '../retry-schedule.ts'

/** How an open circuit is probed. */
export interface Probing {
  openMs: number
  random: () => number
}

/** An endpoint that is probed, as it was read. */
export interface Probed {
  id: string
  resumeAt: number
  now: number
  /** While the circuit is open: the delivery that failed last, and the ends of those that are held. */
  failedId: string | null
  oldestId: string | null
  newestId: string | null
}

/** A held row becomes the probe, unless the last one still stands: never the row that failed last, if there is another. */
export function addProbe(
  transaction: Transaction,
  db: OutboxDatabase,
  due: Probed,
  { openMs, random, graceMs = 0 }: Probing & { graceMs: number | undefined },
): SqlResult<ResumedRow> {
  const { id, resumeAt, now } = due
  const mine = sqlText`id = ${id} and resume_at = cast(${resumeAt} as bigint) and circuit = 'open'`
  const place = placeOfProbe(due, random)
  const another = raw("id <> coalesce(keepsend_endpoints.last_failed_id, '')")
  transaction.add(sqlText`
      update keepsend_endpoints set probe_id = coalesce(
        ${firstHeld(db, 'oldestFirst', another, { from: sqlText`${place}` })},
        ${firstHeld(db, 'newestFirst', another, { before: sqlText`${place}` })},
        ${firstHeld(db, 'oldestFirst')})
      where ${mine} and status = 'enabled' and not ${isPaused()} and not ${claimStandsAsProbe(openMs, graceMs)}`)
  // Also for the probe that still stands, and for an endpoint that was disabled or paused meanwhile.
  const next = notBeforePause(db, sqlText`cast(${now + jittered(openMs, random)} as bigint)`)
  transaction.add(sqlText`
      update keepsend_endpoints set last_failed_id = coalesce(probe_id, last_failed_id),
        resume_at = case when status = 'enabled' and (probe_id is not null or ${isPaused()}) then ${next} end
      where ${mine}`)
  // By its key, and not the first of the held rows that is the probe.
  const guard = sqlText`held.id = (select probe_id from keepsend_endpoints
        where id = ${id} and circuit = 'open' and status = 'enabled' and not ${isPaused()})`
  return transaction.add<ResumedRow>(resumeStatement(db, { endpointId: id, limit: 1, guard, afterMs: graceMs }))
}

/**
 * Where the next probe is looked for, as an id. After one of the older half it is the newest row, so that a thousand old
 * rows that cannot be delivered keep nobody from the one behind them; otherwise it is near a random time between both.
 */
function placeOfProbe({ failedId, oldestId, newestId }: Probed, random: () => number): string {
  const from = timeOf(oldestId)
  const span = timeOf(newestId) - from
  if (failedId === null || timeOf(failedId) - from <= span / 2) return newestId ?? ''
  return firstEventIdAt(from + random() * span)
}

function timeOf(deliveryId: string | null): number {
  const eventId = eventIdOf(deliveryId ?? '')
  return isEventId(eventId) ? eventIdTime(eventId) : 0
}

/** Whether the probe that was let out last is still on its way: due, or under a lease. */
function claimStandsAsProbe(openMs: number, graceMs: number): SqlText {
  return sqlText`exists (
    select 1 from pending_events as probe where probe.id = keepsend_endpoints.probe_id and probe.status = 'pending'
      and probe.due_at <= ${clock()} + ${raw(String(2 * openMs + graceMs))})`
}
