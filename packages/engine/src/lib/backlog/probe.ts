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

/** Options of probes: the wait between two, in ms, and the source of jitter. */
export interface Probing {
  openMs: number
  random: () => number
}

/** An endpoint to probe, as it was read. */
export interface Probed {
  id: string
  resumeAt: number
  now: number
  /** While the circuit is open: the delivery that failed last, and the oldest and newest held delivery. */
  failedId: string | null
  oldestId: string | null
  newestId: string | null
}

/**
 * Chooses a held row as the probe of an open circuit and resumes it, unless the last probe is still in flight. The row that
 * failed last is chosen only if there is no other.
 */
export function addProbe(
  transaction: Transaction,
  db: OutboxDatabase,
  due: Probed,
  { openMs, random, graceMs = 0 }: Probing & { graceMs: number | undefined },
): SqlResult<ResumedRow> {
  const { id, resumeAt, now } = due
  // Guards the race of two processes: only the first finds the time that it read.
  const isUnchanged = sqlText`id = ${id} and resume_at = cast(${resumeAt} as bigint) and circuit = 'open'`
  const place = placeOfProbe(due, random)
  const another = raw("id <> coalesce(keepsend_endpoints.last_failed_id, '')")
  transaction.add(sqlText`
      update keepsend_endpoints set probe_id = coalesce(
        ${firstHeld(db, 'oldestFirst', another, { from: sqlText`${place}` })},
        ${firstHeld(db, 'newestFirst', another, { before: sqlText`${place}` })},
        ${firstHeld(db, 'oldestFirst')})
      where ${isUnchanged} and status = 'enabled' and not ${isPaused()} and not ${probeIsInFlight(openMs, graceMs)}`)
  // The next time is also set while the last probe is in flight, and if the endpoint was disabled or paused meanwhile.
  const next = notBeforePause(db, sqlText`cast(${now + jittered(openMs, random)} as bigint)`)
  transaction.add(sqlText`
      update keepsend_endpoints set last_failed_id = coalesce(probe_id, last_failed_id),
        resume_at = case when status = 'enabled' and (probe_id is not null or ${isPaused()}) then ${next} end
      where ${isUnchanged}`)
  // Finds the probe by its primary key instead of searching the held rows for it.
  const guard = sqlText`held.id = (select probe_id from keepsend_endpoints
        where id = ${id} and circuit = 'open' and status = 'enabled' and not ${isPaused()})`
  return transaction.add<ResumedRow>(resumeStatement(db, { endpointId: id, limit: 1, guard, afterMs: graceMs }))
}

/** Makes a row that a person has just made due the probe of its endpoint, if the circuit is open: otherwise it would be held again. */
export function probeNow({ id, gen, endpointId }: { id: string; gen: number; endpointId: string }): SqlText {
  return sqlText`
    update keepsend_endpoints set probe_id = ${id}
    where id = ${endpointId} and circuit = 'open'
      and exists (select 1 from pending_events where id = ${id} and gen = ${gen} and status = 'pending')`
}

/**
 * The id from which the next probe is searched. If the last failed delivery is of the older half, it is the newest row, so
 * that a thousand undeliverable old rows do not delay the recovery; otherwise it is at a random time between both ends.
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

/** The condition under which the last probe has not ended: it is due, or under a lease. */
function probeIsInFlight(openMs: number, graceMs: number): SqlText {
  return sqlText`exists (
    select 1 from pending_events as probe where probe.id = keepsend_endpoints.probe_id and probe.status = 'pending'
      and probe.due_at <= ${clock()} + ${raw(String(2 * openMs + graceMs))})`
}
