import type { Dialect } from './dialect.ts'
import { DEFAULT_MAX_ATTEMPTS, type OutboxEvent, eventIdTime } from './event.ts'
import { isNullRefused } from './errors.ts'
import { hasLine } from './lane.ts'
import { rowId } from './row-id.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'

// The two sources of a new row's columns below are in this order. `gen` begins at the database's clock: an
// earlier life of a row that was deleted has had lower ones, on the assumption that decision 050 names.
const COLUMNS = 'id, workspace_id, event_type, endpoint_id, max_attempts, due_at, ready, gen, created_at, payload'
const INSERT = raw(`insert into pending_events (${COLUMNS})`)
const INSERT_OR_HOLD = raw(`insert into pending_events (${COLUMNS}, status, hold_reason, held_at)`)

// `do nothing`, never `insert or ignore`: that would also swallow a missing NOT NULL value.
const UNLESS_THERE = raw('on conflict (id) do nothing')

/**
 * The sweep looks for dispatched rows by the time in their id, so one whose id is further off the clock is due instead,
 * and not in line, for a message brings it. 5 minutes: half of what the sweep looks through.
 */
const MAX_ID_SKEW_MS = raw('300000')

/** One event, bound as it is: no JSON to write and to parse. */
export function insertStatement(event: OutboxEvent): SqlText {
  const { eventId, endpointId, workspaceId, type, maxAttempts = DEFAULT_MAX_ATTEMPTS, payload } = event
  return sqlText`
    ${INSERT}
    values (${rowId(eventId, endpointId)}, ${workspaceId}, ${type}, ${endpointId ?? ''},
      ${maxAttempts}, ${dueAndReady(event)}, ${clock()}, ${clock()}, ${payload})
    ${UNLESS_THERE}`
}

/** Many events in one statement; returns the ids that were new. */
export function insertManyStatement(dialect: Dialect, events: readonly OutboxEvent[]): SqlText {
  const source = dialect.rows('event', events, {
    id: ['text', ({ eventId, endpointId }) => rowId(eventId, endpointId)],
    workspace_id: ['text', ({ workspaceId }) => workspaceId],
    event_type: ['text', ({ type }) => type],
    endpoint_id: ['text', ({ endpointId }) => endpointId ?? ''],
    max_attempts: ['integer', ({ maxAttempts }) => maxAttempts ?? DEFAULT_MAX_ATTEMPTS],
    due: ['text', ({ due }) => String(due ?? 'now')],
    id_time: ['integer', ({ eventId }) => eventIdTime(eventId)],
    payload: ['text', ({ payload }) => payload],
  })
  const isFarOff = offTheClock(raw('id_time'))
  return sqlText`
    ${INSERT}
    select id, workspace_id, event_type, endpoint_id, max_attempts,
      case due when 'now' then ${clock()} when 'handed-off' then case when ${isFarOff} then ${clock()} end
        else cast(due as bigint) end,
      case when due = 'now' then 1 when due = 'handed-off' then 0
        when cast(due as bigint) <= ${clock()} then 1 else 0 end,
      ${clock()}, ${clock()}, payload
    from ${source}
    where true
    ${dialect.inKeyOrder}
    ${UNLESS_THERE}
    returning id`
}

/** Where the rows of one event come from, when a `select` finds its receivers. */
export interface Receivers {
  /** The expressions of the endpoint's id and of its attempts, in terms of `from`. */
  endpointId: SqlText
  maxAttempts: SqlText
  /** Why its row is held from the start; null: it is not. */
  heldFor: SqlText
  /** What follows `from`, the conditions included. */
  from: SqlText
  /** With `maxRows`: a cheap condition where there are certainly no more, so that they are not counted. @default they are */
  isFew?: SqlText | undefined
}

/**
 * One event for each receiver that a `select` of the caller finds, in one statement, so that the set of receivers is
 * that of its commit. Returns `id`, `endpointId`, `gen`, `ready` and `holdReason` of the rows that were new.
 *
 * @param receiversAt is told the expression of the database's time
 */
export function insertSelectStatement(
  dialect: Dialect,
  event: Pick<OutboxEvent, 'eventId' | 'workspaceId' | 'type' | 'payload' | 'due'> & JoinsLine & MaxRows,
  receiversAt: (now: SqlText) => Receivers,
): SqlText {
  const { now, from: clockFrom } = dialect.clockBeside
  const { endpointId, maxAttempts, heldFor, from, isFew } = receiversAt(now)
  const inLine = event.joinsLine ? hasLine(dialect, sqlText`cast(${event.workspaceId} as text)`) : undefined
  // `where true`: SQLite would take `on` for the condition of a join.
  return sqlText`
    with receiver as ${dialect.reused} (
      select ${endpointId} as endpoint, ${maxAttempts} as attempts, ${heldFor} as held_for, ${now} as now
      from ${clockFrom}${from})
    ${INSERT_OR_HOLD}
    select cast(${rowId(event.eventId, '')} as text) || endpoint, cast(${event.workspaceId} as text),
      cast(${event.type} as text), endpoint, ${unlessTooMany({ ...event, isFew })}, ${dueAndReady(event, NOW, { inLine, unlessHeld: UNLESS_HELD })}, now, now,
      cast(${event.payload} as text), ${UNLESS_HELD} then 'pending' else 'held' end, held_for, ${UNLESS_HELD} then null else now end
    from receiver
    where true
    ${UNLESS_THERE}
    returning id, endpoint_id as "endpointId", gen, ready as "ready", hold_reason as "holdReason"`
}

const NOW = raw('receiver.now')
const UNLESS_HELD = raw('case when held_for is null')

interface JoinsLine {
  /** With `due: 'handed-off'`: while rows of the workspace stand in line, these stand in line as well. @default false */
  joinsLine?: boolean | undefined
}

interface MaxRows {
  /** With more receivers the statement fails, and inserts none: see {@link isTooManyRows}. @default no bound */
  maxRows?: number | undefined
}

/** The attempts of a receiver, or null, which the column refuses, and with it the whole transaction, on every database. */
function unlessTooMany({ maxRows, isFew = raw('1 = 0') }: MaxRows & Pick<Receivers, 'isFew'>): SqlText {
  if (maxRows === undefined) return raw('attempts')
  const most = raw(String(maxRows))
  const counted = sqlText`select count(*) from (select 1 from receiver limit ${raw(String(maxRows + 1))}) as counted`
  return sqlText`case when ${isFew} or (${counted}) <= ${most} then attempts end`
}

/** Fails, as an insert with too many receivers does, where the condition holds; otherwise it does nothing. */
export function refuseRowsStatement(tooMany: SqlText): SqlText {
  return sqlText`
    insert into pending_events (id, workspace_id, event_type, created_at, payload, max_attempts)
    select '', '', '', ms, '', null from keepsend_clock where ${tooMany}`
}

/** Whether the error is that of {@link insertSelectStatement} with more receivers than `maxRows`. */
export function isTooManyRows(error: unknown): boolean {
  return isNullRefused(error, 'pending_events', 'max_attempts')
}

/**
 * The values of `due_at` and `ready`: in line at once, at a time, or dispatched.
 *
 * @param how.inLine 1 where a row that would be dispatched stands in line instead
 * @param how.unlessHeld begins a `case` that goes on for rows that are not held from the start
 */
function dueAndReady(
  { eventId, due = 'now' }: Pick<OutboxEvent, 'eventId' | 'due'>,
  now = clock(),
  { inLine = raw('0'), unlessHeld }: { inLine?: SqlText | undefined; unlessHeld?: SqlText | undefined } = {},
): SqlText {
  const isFarOff = offTheClock(clock(due === 'handed-off' ? eventIdTime(eventId) : 0), now)
  const [dueAt, ready] =
    due === 'now'
      ? [now, raw('1')]
      : due === 'handed-off'
        ? [sqlText`case when ${isFarOff} or 1 = ${inLine} then ${now} end`, inLine]
        : [clock(due), sqlText`case when ${clock(due)} <= ${now} then 1 else 0 end`]
  if (!unlessHeld) return sqlText`${dueAt}, ${ready}`
  return sqlText`${unlessHeld} then ${dueAt} end, ${unlessHeld} then ${ready} else 0 end`
}

function offTheClock(idTime: SqlText, now = clock()): SqlText {
  return sqlText`abs(${now} - ${idTime}) > ${MAX_ID_SKEW_MS}`
}
