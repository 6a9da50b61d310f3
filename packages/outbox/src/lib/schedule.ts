import { type OutboxEvent, eventIdTime } from './event.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'

/** When the deliveries of an event may be sent. Times are ms since the epoch. */
export interface Schedule {
  /** No attempt begins before this time, from which their age counts. One that has passed means now. @default now */
  deliverAt?: number | undefined
  /** From when on they fail as expired: a time, or so many ms after `deliverAt` or the insert. @default never */
  expiry?: { at: number; inMs?: undefined } | { inMs: number; at?: undefined } | undefined
}

/** The condition that `deliverAt` is ahead of `now`; undefined without it. */
export function isAhead({ deliverAt }: Schedule, now: SqlText): SqlText | undefined {
  return deliverAt === undefined ? undefined : sqlText`${clock(deliverAt)} > ${now}`
}

const NONE = raw('')
const NULL = raw('cast(null as bigint)')

/** Ends the columns and the values of an insert. Empty without times, so that nearly every insert has the same text. */
export function scheduleColumns(schedule: Schedule, now: SqlText): { column: SqlText; value: SqlText } {
  const { deliverAt, expiry } = schedule
  const ahead = isAhead(schedule, now)
  if (!ahead && !expiry) return { column: NONE, value: NONE }
  const at = ahead ? sqlText`case when ${ahead} then ${clock(deliverAt)} end` : NULL
  const from = ahead ? sqlText`coalesce(${at}, ${now})` : now
  const inMs = expiry?.inMs
  const until = inMs === undefined ? NULL : sqlText`${from} + cast(${inMs} as bigint)`
  const column = raw(', deliver_at, expires_at')
  return { column, value: sqlText`, ${at}, ${expiry?.at === undefined ? until : clock(expiry.at)}` }
}

const IN_LINE = raw('1')
const WAITING = raw('0')

/** `'swept'`: due now, and not in line, so that rows behind it are dispatched; the sweep takes it. */
export type Due = OutboxEvent['due'] | 'swept'

/**
 * The values of `due_at` and `ready`: in line immediately, due at a time, dispatched, or due now but not in line.
 *
 * @param how.inLine 1 if a row that would be dispatched is put in line instead
 * @param how.unlessHeld begins a `case` that continues for rows that are not held from the start
 */
export function dueAndReady(
  event: Pick<OutboxEvent, 'eventId'> & Schedule & { due?: Due },
  now = clock(),
  { inLine = WAITING, unlessHeld }: { inLine?: SqlText | undefined; unlessHeld?: SqlText | undefined } = {},
): SqlText {
  const ahead = isAhead(event, now)
  const [soon, soonReady] = dueSoon(event, now, inLine)
  const dueAt = ahead ? sqlText`case when ${ahead} then ${clock(event.deliverAt)} else ${soon} end` : soon
  const ready = ahead ? sqlText`case when ${ahead} then 0 else ${soonReady} end` : soonReady
  if (!unlessHeld) return sqlText`${dueAt}, ${ready}`
  return sqlText`${unlessHeld} then ${dueAt} end, ${unlessHeld} then ${ready} else 0 end`
}

function dueSoon(
  { eventId, due = 'now' }: Pick<OutboxEvent, 'eventId'> & { due?: Due },
  now: SqlText,
  inLine: SqlText,
): [dueAt: SqlText, ready: SqlText] {
  switch (due) {
    case 'now':
      return [now, IN_LINE]
    case 'swept':
      return [now, WAITING]
    case 'dispatched': {
      const isOff = offTheClock(clock(eventIdTime(eventId)), now)
      return [sqlText`case when ${isOff} or 1 = ${inLine} then ${now} end`, inLine]
    }
    default:
      return [clock(due), sqlText`case when ${clock(due)} <= ${now} then 1 else 0 end`]
  }
}

/**
 * The sweep finds dispatched rows by the time in their id. A row whose id is further from the clock than this is
 * therefore due instead, and not in line, because a message brings it. 5 minutes: half of the sweep's window.
 */
const MAX_ID_SKEW_MS = raw('300000')

export function offTheClock(idTime: SqlText, now = clock()): SqlText {
  return sqlText`abs(${now} - ${idTime}) > ${MAX_ID_SKEW_MS}`
}
