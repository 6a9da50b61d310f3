import type { Dialect, Payload, Stored } from './dialect.ts'
import { DEFAULT_MAX_ATTEMPTS, type OutboxEvent, eventIdTime } from './event.ts'
import { hasLine } from './lane.ts'
import { maxInlineRows } from './payload.ts'
import { rowId } from './row-id.ts'
import { type SqlText, clock, joined, raw, sqlText } from './statement.ts'

// The two sources of a new row's columns below are in this order. `gen` begins at the database's clock: an
// earlier life of a row that was deleted has had lower ones, on the assumption that decision 050 names.
const COLUMNS = 'id, workspace_id, event_type, endpoint_id, max_attempts, due_at, ready, gen, created_at'
const INSERT = raw(`insert into pending_events (${COLUMNS}, payload)`)
const INSERT_MANY = raw(`insert into pending_events (${COLUMNS}, payload_id, payload)`)
const INSERT_OR_HOLD = raw(`insert into pending_events (${COLUMNS}, payload_id, payload, status, hold_reason, held_at)`)

// `do nothing`, never `insert or ignore`: that would also swallow a missing NOT NULL value.
const UNLESS_THERE = raw('on conflict (id) do nothing')

/**
 * The sweep looks for dispatched rows by the time in their id, so one whose id is further off the clock is due instead,
 * and not in line, for a message brings it. 5 minutes: half of what the sweep looks through.
 */
const MAX_ID_SKEW_MS = raw('300000')

/** An insert, and what must be stored before it, as statements of one transaction. */
export interface InsertStatements {
  before: SqlText[]
  /** Returns what it inserted. */
  insert: SqlText
}

/** One event with its payload in its row, bound as it is: no JSON to write and to parse. */
export function insertStatement(event: OutboxEvent): SqlText {
  const { eventId, endpointId, workspaceId, type, maxAttempts = DEFAULT_MAX_ATTEMPTS, payload } = event
  return sqlText`
    ${INSERT}
    values (${rowId(eventId, endpointId)}, ${workspaceId}, ${type}, ${endpointId ?? ''},
      ${maxAttempts}, ${dueAndReady(event)}, ${clock()}, ${clock()}, ${payload})
    ${UNLESS_THERE}`
}

/** Rows to insert, and payloads that are stored once for those of them that name their place in the list, from 1 on. */
export interface RowsToInsert {
  events: readonly { event: OutboxEvent; place: number | null }[]
  payloads: readonly Payload[]
}

const NOTHING_STORED: Stored = { before: [], ctes: [], join: raw(''), id: raw('cast(null as bigint)') }

/** Many events in one statement; it returns the ids that were new. */
export function insertManyStatements(dialect: Dialect, { events, payloads }: RowsToInsert): InsertStatements {
  const source = dialect.rows('event', events, {
    id: ['text', ({ event }) => rowId(event.eventId, event.endpointId)],
    workspace_id: ['text', ({ event }) => event.workspaceId],
    event_type: ['text', ({ event }) => event.type],
    endpoint_id: ['text', ({ event }) => event.endpointId ?? ''],
    max_attempts: ['integer', ({ event }) => event.maxAttempts ?? DEFAULT_MAX_ATTEMPTS],
    due: ['text', ({ event }) => String(event.due ?? 'now')],
    id_time: ['integer', ({ event }) => eventIdTime(event.eventId)],
    payload: ['text', ({ event, place }) => (place === null ? event.payload : null)],
    place: ['integer', ({ place }) => place],
  })
  const isFarOff = offTheClock(raw('id_time'))
  const stored = payloads.length > 0 ? dialect.storePayloads(payloads) : NOTHING_STORED
  const ctes = stored.ctes.length > 0 ? sqlText`with ${joined(stored.ctes, ', ')}` : raw('')
  const insert = sqlText`
    ${ctes} ${INSERT_MANY}
    select id, workspace_id, event_type, endpoint_id, max_attempts,
      case due when 'now' then ${clock()} when 'handed-off' then case when ${isFarOff} then ${clock()} end
        else cast(due as bigint) end,
      case when due = 'now' then 1 when due = 'handed-off' then 0
        when cast(due as bigint) <= ${clock()} then 1 else 0 end,
      ${clock()}, ${clock()}, ${stored.id}, event.payload
    from ${source} ${stored.join}
    where true
    ${dialect.inKeyOrder}
    ${UNLESS_THERE}
    returning id`
  return { before: stored.before, insert }
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
}

/**
 * One event for each receiver that a `select` of the caller finds, in one statement, so that the set of receivers is
 * that of its commit. It returns `id`, `endpointId`, `gen`, `ready` and `holdReason` of the rows that were new. Before it,
 * on SQLite, another stores the payload, if the rows do not hold it themselves.
 *
 * @param receiversAt is told the expression of the database's time
 */
export function insertSelectStatements(
  dialect: Dialect,
  event: Pick<OutboxEvent, 'eventId' | 'workspaceId' | 'type' | 'payload' | 'due'> & FanOutOptions,
  receiversAt: (now: SqlText) => Receivers,
): InsertStatements {
  const clockBeside = dialect.clockBeside
  const { from: receivers, ...asked } = receiversAt(clockBeside.now)
  const from = sqlText`${clockBeside.from}${receivers}`
  const one = dialect.reused({ ...asked, now: clockBeside.now }, from)
  const { endpointId, maxAttempts, heldFor, now } = one.columns
  const inLine = event.joinsLine ? hasLine(dialect, sqlText`cast(${event.workspaceId} as text)`) : undefined
  const unlessHeld = sqlText`case when ${heldFor} is null`
  const mostInline = maxInlineRows(dialect, event.payload, event.expectsFew)
  const isCounted = mostInline < Infinity
  const stored = isCounted ? dialect.storeShared(event, from, mostInline) : NOTHING_STORED
  const whole = mostInline > 0 ? sqlText`cast(${event.payload} as text)` : raw('cast(null as text)')
  const inline = isCounted && mostInline > 0 ? sqlText`case when ${stored.id} is null then ${whole} end` : whole
  const insert = sqlText`
    ${joined([one.with, ...stored.ctes], ', ')} ${INSERT_OR_HOLD}
    select cast(${rowId(event.eventId, '')} as text) || ${endpointId}, cast(${event.workspaceId} as text),
      cast(${event.type} as text), ${endpointId}, ${maxAttempts}, ${dueAndReady(event, now, { inLine, unlessHeld })}, ${now}, ${now},
      ${stored.id}, ${inline}, ${unlessHeld} then 'pending' else 'held' end, ${heldFor}, ${unlessHeld} then null else ${now} end
    from ${one.from}
    ${UNLESS_THERE}
    returning id, endpoint_id as "endpointId", gen, ready as "ready", hold_reason as "holdReason"`
  return { before: stored.before, insert }
}

interface FanOutOptions {
  /** With `due: 'handed-off'`: while rows of the workspace stand in line, these stand in line as well. @default false */
  joinsLine?: boolean | undefined
  /**
   * There were at most three receivers a moment ago. They are not counted: a payload of up to 1,000 bytes stands in each
   * row, however many there are now. @default false
   */
  expectsFew?: boolean | undefined
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
