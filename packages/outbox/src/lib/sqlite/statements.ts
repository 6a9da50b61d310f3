import { DEFAULT_MAX_ATTEMPTS, type OutboxEvent, eventIdTime, rowId } from '../event.ts'
import type { Dialect, Move, ReplayWhere, TakeOptions } from '../database.ts'
import { ATTEMPTS_EXHAUSTED, type ClaimRef, REFUNDED_CRASHES, ROW_COLUMNS, UNKNOWN_OUTCOME } from '../row.ts'
import { type SqlText, clock, limitTo, raw, sqlText } from '../statement.ts'

const COLUMNS = raw(ROW_COLUMNS)

// One rule, read by every statement that takes a row: the first crashes are given back before attempts are counted.
const REFUND = `(claimed_at is not null and crashes < ${REFUNDED_CRASHES})`
const USED_UP = raw(`attempts - ${REFUND} >= max_attempts`)

// 256 leases: a sweep that finds the same row again and again hands it over ever more rarely. No queue is further behind
// than its row is old, though: after an outage in which each tick takes and gives back, a young row waits one lease.
const MAX_LEASE_DOUBLINGS = 8

/** SQLite and D1. Measured shapes: each picks through an index and touches each row once. */
export const sqliteDialect: Dialect = {
  name: 'sqlite',
  list: (values) => sqlText`select value from json_each(${JSON.stringify(values)})`,
  first: limitTo,
  among: (found) => sqlText`in (${found})`,
  lock: () => raw(''),
  enqueue,
  take,
  deleteSettled,
  settle,
  extend,
  begin,
  replay,
  unhold,
  prune,
}

function enqueue(events: readonly OutboxEvent[]): SqlText {
  const rows = events.map((event) => [
    rowId(event.eventId, event.endpointId),
    event.workspaceId,
    event.type,
    event.endpointId ?? null,
    event.maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
    event.due ?? 'now',
    eventIdTime(event.eventId),
    event.payload,
  ])
  // `on conflict do nothing`, never `insert or ignore`: that would swallow a missing NOT NULL value too.
  // Handed off only if the id's time is near the clock: the sweep finds such rows by the time in their id.
  return sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, max_attempts, due_at, created_at, payload)
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
      case value ->> 5
        when 'now' then ${clock()}
        when 'handed-off' then case when abs((value ->> 6) - ${clock()}) <= 300000 then null else ${clock()} end
        else value ->> 5
      end,
      ${clock()}, value ->> 7
    from json_each(${JSON.stringify(rows)})
    where true
    on conflict (id) do nothing
    returning id`
}

function take(how: TakeOptions): SqlText {
  const now = clock(how.now)
  const claim = how.as === 'claim'
  const lease = claim
    ? sqlText`${now} + ${how.leaseMs}`
    : sqlText`${now} + min(${how.leaseMs} * (1 << min(gen, ${MAX_LEASE_DOUBLINGS})), max(${how.leaseMs}, ${now} - created_at))`
  // One statement: SQLite runs it under the write lock, so no two claimers see the same row due.
  return sqlText`
    update pending_events set
      gen = gen + 1,
      crashes = crashes + (claimed_at is not null),
      attempts = case when ${USED_UP} then attempts else attempts - ${raw(REFUND)} + ${raw(claim ? '1' : '0')} end,
      status = case when ${USED_UP} then 'failed' else 'pending' end,
      due_at = case when ${USED_UP} then null else ${lease} end,
      claimed_at = case when ${USED_UP} then null else ${claim ? now : raw('null')} end,
      completed_at = case when ${USED_UP} then ${now} end,
      last_error = case
        when not (${USED_UP}) then last_error
        when claimed_at is not null then ${raw(`'${UNKNOWN_OUTCOME}'`)}
        else coalesce(last_error, ${raw(`'${ATTEMPTS_EXHAUSTED}'`)})
      end
    where id in (${pick(how, now)})
    returning ${COLUMNS}`
}

function pick(how: TakeOptions, now: SqlText): SqlText {
  const { rows } = how
  switch (rows.kind) {
    case 'due':
      return sqlText`
        select id from pending_events
        where status = 'pending' and due_at is not null and due_at <= ${now}
        order by due_at, id ${limitTo(how.limit)}`
    case 'first-sends':
      return sqlText`
        select id from pending_events
        where status = 'pending' and due_at is null and id >= ${rows.fromId} and id < ${rows.toId}
        order by id ${limitTo(how.limit)}`
    case 'handed-off':
      // The key range itself bounds what is read.
      return sqlText`
        select id from pending_events
        where id > ${rows.afterId} and id <= ${rows.toId} and status = 'pending' and due_at is null
          and created_at < ${rows.createdBefore}
        order by id ${limitTo(how.limit)}`
    case 'named':
      return sqlText`
        select id from pending_events
        where (id, gen) in (${claimPairs(rows.claims)})
          and status = 'pending'
        ${limitTo(how.limit)}`
  }
}

// An object, an id and its gen a member, written by hand because the same id may stand in it twice. Out of
// `[[id, gen], …]` SQLite would parse each pair four times: a delete of 5.6 µs a row instead of 3.6.
function claimPairs(claims: readonly ClaimRef[]): SqlText {
  const members = claims.map(({ id, gen }) => `${JSON.stringify(id)}:${gen}`)
  return sqlText`select key, value from json_each(${`{${members.join()}}`})`
}

function deleteSettled(claims: readonly ClaimRef[]): SqlText {
  return sqlText`
    delete from pending_events
    where (id, gen) in (${claimPairs(claims)})
      and status = 'pending'
    returning id`
}

function settle(moves: readonly Move[], now: number | undefined): SqlText {
  const rows = moves.map((move) => [
    move.id,
    move.gen,
    move.status,
    move.charged ? 1 : 0,
    move.deferral ? 1 : 0,
    move.delayMs,
    move.dueAt,
    move.error,
    move.httpStatus,
    move.holdReason,
  ])
  // attempts: a claim has charged already (its mark stands), a queue consumer that only began has not.
  return sqlText`
    update pending_events set
      status = to_status,
      hold_reason = held_for,
      attempts = min(max_attempts, max(0, attempts + charged - (claimed_at is not null))),
      deferrals = deferrals + deferral,
      gen = gen + (to_status in ('pending', 'held')),
      due_at = case when to_status = 'pending' then coalesce(to_due_at, ${clock(now)} + coalesce(delay_ms, 0)) end,
      claimed_at = null,
      completed_at = case when to_status in ('completed', 'failed') then ${clock(now)} end,
      last_error = case when error is null and to_status <> 'completed' then last_error else error end,
      last_status = coalesce(http_status, last_status)
    from (
      select value ->> 0 as claim_id, value ->> 1 as claim_gen, value ->> 2 as to_status, value ->> 3 as charged,
        value ->> 4 as deferral, value ->> 5 as delay_ms, value ->> 6 as to_due_at, value ->> 7 as error,
        value ->> 8 as http_status, value ->> 9 as held_for
      from json_each(${JSON.stringify(rows)})
    )
    where id = claim_id and gen = claim_gen and status = 'pending'
    returning id`
}

function extend(claims: readonly ClaimRef[], leaseMs: number, now: number | undefined): SqlText {
  return sqlText`
    update pending_events set due_at = max(due_at, ${clock(now)} + ${leaseMs})
    where (id, gen) in (${claimPairs(claims)})
      and status = 'pending' and claimed_at is not null
    returning id`
}

function begin(claims: readonly ClaimRef[]): SqlText {
  return sqlText`
    select ${COLUMNS} from (select key as claim_id, value as claim_gen from (${claimPairs(claims)}))
    join pending_events on id = claim_id
    where status = 'pending'
      and (gen = claim_gen or (gen > claim_gen and attempts = 0 and deferrals = 0 and crashes = 0))`
}

function replay(filter: ReplayWhere, now: number | undefined): SqlText {
  const aside = filter.holdFor !== undefined
  const wanted = [raw('completed_at is not null')]
  if (filter.ids) wanted.push(sqlText`id in (select value from json_each(${JSON.stringify(filter.ids)}))`)
  if (filter.workspaceId !== undefined) wanted.push(sqlText`workspace_id = ${filter.workspaceId}`)
  if (filter.endpointId !== undefined) wanted.push(sqlText`endpoint_id = ${filter.endpointId}`)
  if (filter.status !== undefined) wanted.push(sqlText`status = ${filter.status}`)
  if (filter.settledAfter !== undefined) wanted.push(sqlText`completed_at >= ${filter.settledAfter}`)
  if (filter.settledBefore !== undefined) wanted.push(sqlText`completed_at < ${filter.settledBefore}`)
  const where = wanted.reduce((all, one) => sqlText`${all} and ${one}`)
  return sqlText`
    update pending_events set status = ${aside ? 'held' : 'pending'}, hold_reason = ${filter.holdFor ?? null}, gen = gen + 1,
      attempts = 0, deferrals = 0, crashes = 0, claimed_at = null, completed_at = null, due_at = ${aside ? raw('null') : clock(now)}
    where id in (select id from pending_events where ${where} order by completed_at, id ${limitTo(filter.limit)})
    returning id`
}

function unhold(endpointId: string, limit: number, now: number | undefined): SqlText {
  return sqlText`
    update pending_events set status = 'pending', hold_reason = null, gen = gen + 1, due_at = ${clock(now)}
    where id in (
      select id from pending_events where status = 'held' and endpoint_id = ${endpointId} order by id ${limitTo(limit)})
    returning id`
}

function prune(retentionMs: number, limit: number, now: number | undefined): SqlText {
  return sqlText`
    delete from pending_events
    where id in (
      select id from pending_events
      where completed_at is not null and completed_at < ${clock(now)} - ${retentionMs}
      order by completed_at, id ${limitTo(limit)})`
}
