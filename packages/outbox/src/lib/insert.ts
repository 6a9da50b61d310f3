import type { Dialect, Payload, Stored } from './dialect.ts'
import type { EventRecord } from './event-record.ts'
import { DEFAULT_MAX_ATTEMPTS, type OutboxEvent, eventIdTime } from './event.ts'
import { isNullRefused } from './errors.ts'
import { hasLine } from './lane.ts'
import { maxInlineRows } from './payload.ts'
import { rowId } from './row-id.ts'
import { type Due, type Schedule, dueAndReady, isAhead, offTheClock, scheduleColumns } from './schedule.ts'
import { type SqlText, clock, joined, raw, sqlText } from './statement.ts'
import { versionColumns } from './version-columns.ts'
import type { PayloadVersions } from './versions.ts'

// Both sources of a new row's columns below use this order. `gen` begins at the database's clock: earlier lives of a
// deleted row had lower ones, on the assumption that decision 050 names.
const COLUMNS = 'id, workspace_id, event_type, endpoint_id, max_attempts, due_at, ready, gen, created_at'
const INSERT = raw(`insert into pending_events (${COLUMNS}, payload`)
const INSERT_MANY = raw(`insert into pending_events (${COLUMNS}, payload_id, payload`)
const INSERT_OR_HOLD = raw(
  `insert into pending_events (${COLUMNS}, payload_id, payload, status, hold_reason, held_at, filter`,
)

// `do nothing`, never `insert or ignore`, which would also swallow a missing NOT NULL value.
const UNLESS_THERE = raw('on conflict (id) do nothing')

/** An insert, and the statements around it, in one transaction. */
export interface InsertStatements {
  before: SqlText[]
  /** Returns the rows that it inserted. */
  insert: SqlText
  /** Statements directly behind it. */
  after?: SqlText[] | undefined
}

/** Inserts one event with its payload in its row, bound directly: no JSON to write and to parse. */
export function insertStatement(event: OutboxEvent): SqlText {
  const { eventId, endpointId, workspaceId, type, maxAttempts = DEFAULT_MAX_ATTEMPTS, payload } = event
  const contentType = contentTypeOf(event)
  return sqlText`
    ${INSERT}${contentType.column})
    values (${rowId(eventId, endpointId)}, ${workspaceId}, ${type}, ${endpointId ?? ''},
      ${maxAttempts}, ${dueAndReady(event)}, ${clock()}, ${clock()}, ${payload}${contentType.value})
    ${UNLESS_THERE}`
}

/** Ends the columns and the values of an insert. Empty for JSON, so that nearly every insert has the same text. */
function contentTypeOf({ contentType }: { contentType?: string | null | undefined }): {
  column: SqlText
  value: SqlText
} {
  return contentType ? { column: CONTENT_TYPE, value: sqlText`, cast(${contentType} as text)` } : AS_JSON
}

const CONTENT_TYPE = raw(', content_type')
const AS_JSON = { column: raw(''), value: raw('') }

/** Rows to insert, and payloads that are stored once for the rows that name their position in the list, from 1. */
export interface RowsToInsert {
  events: readonly { event: OutboxEvent; place: number | null }[]
  payloads: readonly Payload[]
}

const NOTHING_STORED: Stored = { before: [], ctes: [], join: raw(''), id: raw('cast(null as bigint)') }

/** Inserts many events in one statement, which returns the ids of new rows. */
export function insertManyStatements(dialect: Dialect, { events, payloads }: RowsToInsert): InsertStatements {
  const hasTypes = events.some(({ event }) => event.contentType !== undefined)
  const contentType = hasTypes ? CONTENT_TYPE : raw('')
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
    ...(hasTypes && { content_type: ['text', ({ event }) => event.contentType ?? null] as const }),
  })
  const isFarOff = offTheClock(raw('id_time'))
  const stored = payloads.length > 0 ? dialect.storePayloads(payloads) : NOTHING_STORED
  const ctes = stored.ctes.length > 0 ? sqlText`with ${joined(stored.ctes, ', ')}` : raw('')
  const insert = sqlText`
    ${ctes} ${INSERT_MANY}${contentType})
    select id, workspace_id, event_type, endpoint_id, max_attempts,
      case due when 'now' then ${clock()} when 'dispatched' then case when ${isFarOff} then ${clock()} end
        else cast(due as bigint) end,
      case when due = 'now' then 1 when due = 'dispatched' then 0
        when cast(due as bigint) <= ${clock()} then 1 else 0 end,
      ${clock()}, ${clock()}, ${stored.id}, event.payload${contentType}
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
  /** The expression of the reason why its row is held from the start; null when it is not. */
  heldFor: SqlText
  /** The expression of a condition on the payload that its worker evaluates first, a text; null: none. @default null */
  filter?: SqlText | undefined
  /** With `versions`: the expression of the label that it has; null: that of the payload. */
  label?: SqlText | undefined
  /** The text after `from`, with its conditions. */
  from: SqlText
  /**
   * With `maxRows`: a cheap condition that is true only if there are certainly no more, so that they need not be
   * counted. @default they are counted
   */
  isFew?: SqlText | undefined
}

/**
 * Inserts one event for each receiver that the caller's `select` finds, in one statement, so that the set of receivers
 * is that of the commit. Returns `id`, `endpointId`, `gen`, `ready`, `holdReason` and `isFiltered` of new rows, and with
 * `deliverAt` `isAhead`: 1 if they wait for it. On SQLite, a statement before it stores the payload, if the rows do not hold it
 * themselves.
 *
 * Rows that wait are never held from the start: at their time the claim finds the state that the receiver has then.
 *
 * @param receiversAt receives the expression of the database's time
 */
export function insertSelectStatements(
  dialect: Dialect,
  event: Pick<OutboxEvent, 'eventId' | 'workspaceId' | 'type' | 'payload' | 'contentType'> & FanOutOptions,
  receiversAt: (now: SqlText) => Receivers,
): InsertStatements {
  const { now, from: clockFrom } = dialect.clockBeside
  const { endpointId, maxAttempts, heldFor, filter = NO_FILTER, label, from: receivers, isFew } = receiversAt(now)
  const from = sqlText`${clockFrom}${receivers}`
  const inLine = event.joinsLine ? hasLine(dialect, sqlText`cast(${event.workspaceId} as text)`) : undefined
  const { record, versions } = event
  const inVersion = versionColumns(dialect, event, { from, label, record })
  const mostInline = record || versions?.copies.length ? 0 : maxInlineRows(dialect, event.payload, event.expectsFew)
  const isCounted = mostInline < Infinity
  const stored = record
    ? dialect.storeRecorded(event, record)
    : isCounted
      ? dialect.storeShared(event, from, mostInline)
      : NOTHING_STORED
  const whole = mostInline > 0 ? sqlText`cast(${event.payload} as text)` : raw('cast(null as text)')
  const inline = isCounted && mostInline > 0 ? sqlText`case when ${stored.id} is null then ${whole} end` : whole
  const contentType = record ? recordedContentType(event) : contentTypeOf(event)
  const times = scheduleColumns(event, NOW)
  const ahead = isAhead(event, now)
  const held = ahead ? sqlText`case when ${ahead} then null else ${heldFor} end` : heldFor
  const also = ahead ? ALSO_AHEAD : ALSO_NOTHING
  const receiver = sqlText`receiver as ${dialect.reused} (
      select ${endpointId} as endpoint, ${maxAttempts} as attempts, ${held} as held_for, ${filter} as filter, ${now} as now${inVersion.wanted}
      from ${from})`
  const ctes = [...stored.ctes, ...inVersion.ctes].reduce((all, one) => sqlText`${all}, ${one}`, receiver)
  const before = [...inVersion.before, ...stored.before]
  // `where true`: without it SQLite would parse `on conflict` as the condition of a join.
  const insert = sqlText`${INSERT_OR_HOLD}${contentType.column}${times.column}${inVersion.column})
    select cast(${event.eventId} as text) || '.' || endpoint, cast(${event.workspaceId} as text),
      cast(${event.type} as text), endpoint, ${unlessTooMany({ ...event, isFew })}, ${dueAndReady(event, NOW, { inLine, unlessHeld: UNLESS_HELD })}, now, now,
      ${inVersion.idOf(stored.id)}, ${inline}, ${UNLESS_HELD} then 'pending' else 'held' end, held_for, ${UNLESS_HELD} then null else now end, filter${contentType.value}${times.value}${inVersion.value}
    from receiver${inVersion.join}
    where true
    ${UNLESS_THERE}
    returning id, endpoint_id as "endpointId", gen, ready as "ready", hold_reason as "holdReason",
      case when filter is null then 0 else 1 end as "isFiltered"${also.returning}`
  if (!record)
    return {
      before,
      insert: sqlText`
    with ${ctes}
    ${insert}`,
    }
  const recorded = sqlText`(
      select label, case when place = 0 then stored.id else copy_id end as payload_id from (${inVersion.known}) as found) as found
    where payload_id is not null`
  const copies = versions && dialect.object(raw('label'), raw('payload_id'), recorded)
  const rows = { ctes, insert, returned: also.returned, copies }
  return { before, ...dialect.insertRecorded(rows, event, record) }
}

const RETURNED = 'id, "endpointId", gen, "ready", "holdReason", "isFiltered"'
const ALSO_NOTHING = { returning: raw(''), returned: raw(RETURNED) }
const ALSO_AHEAD = {
  returning: raw(', case when due_at > created_at then 1 else 0 end as "isAhead"'),
  returned: raw(`${RETURNED}, "isAhead"`),
}

/** That of an earlier publish's payload. Scalars: SQLite takes 20 times as long over a join with `earlier` (measured). */
function recordedContentType({ contentType }: Pick<OutboxEvent, 'contentType'>): typeof AS_JSON {
  return {
    column: CONTENT_TYPE,
    value: sqlText`, case when (select payload_id from earlier) is null then cast(${contentType ?? null} as text) else (select content_type from earlier) end`,
  }
}

const NOW = raw('receiver.now')
const NO_FILTER = raw('cast(null as text)')
const UNLESS_HELD = raw('case when held_for is null')

interface FanOutOptions extends MaxRows, Schedule {
  /** `'swept'`: due now, and not in line, so that rows behind it are dispatched; the sweep takes it. @default 'now' */
  due?: Due
  /** Stores the payload once, and records the event. @default no record */
  record?: EventRecord | undefined
  /** Each row gets the payload in the version whose label its receiver has. @default its payload has no version */
  versions?: PayloadVersions | undefined
  /** With `due: 'dispatched'`: puts the rows in line while other rows of the workspace are in line. @default false */
  joinsLine?: boolean | undefined
  /**
   * Says that there were at most three receivers shortly before, so they are not counted: a payload of up to 1,000
   * bytes is stored in each row, however many there are now. @default false
   */
  expectsFew?: boolean | undefined
}

interface MaxRows {
  /** With more receivers the statement fails and inserts nothing: see {@link isTooManyRows}. @default no bound */
  maxRows?: number | undefined
}

/**
 * The attempts of a receiver, or null, which the column refuses: that undoes the whole transaction, on every database.
 */
function unlessTooMany({ maxRows, isFew = raw('1 = 0') }: MaxRows & Pick<Receivers, 'isFew'>): SqlText {
  if (maxRows === undefined) return raw('attempts')
  const most = raw(String(maxRows))
  const counted = sqlText`select count(*) from (select 1 from receiver limit ${raw(String(maxRows + 1))}) as counted`
  return sqlText`case when ${isFew} or (${counted}) <= ${most} then attempts end`
}

/** Fails like an insert with too many receivers if the condition holds; otherwise does nothing. */
export function refuseRowsStatement(tooMany: SqlText): SqlText {
  return sqlText`
    insert into pending_events (id, workspace_id, event_type, created_at, payload, max_attempts)
    select '', '', '', ms, '', null from keepsend_clock where ${tooMany}`
}

/** Whether an error is that of {@link insertSelectStatements} with more receivers than `maxRows`. */
export function isTooManyRows(error: unknown): boolean {
  return isNullRefused(error, 'pending_events', 'max_attempts')
}
