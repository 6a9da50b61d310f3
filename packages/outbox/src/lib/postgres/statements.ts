import { DEFAULT_MAX_ATTEMPTS, type OutboxEvent, eventIdTime, rowId } from '../event.ts'
import type { Dialect, Move, ReplayWhere, TakeOptions } from '../database.ts'
import { ATTEMPTS_EXHAUSTED, type ClaimRef, REFUNDED_CRASHES, ROW_COLUMNS, UNKNOWN_OUTCOME } from '../row.ts'
import { type SqlText, clock, raw, sqlText } from '../statement.ts'

const COLUMNS = raw(ROW_COLUMNS)

// One rule, read by every statement that takes a row: the first crashes are given back before attempts are counted.
const REFUND = `case when claimed_at is not null and crashes < ${REFUNDED_CRASHES} then 1 else 0 end`
const USED_UP = raw(`attempts - ${REFUND} >= max_attempts`)

// 256 leases: a sweep that finds the same row again and again hands it over ever more rarely. No queue is further behind
// than its row is old, though: after an outage in which each tick takes and gives back, a young row waits one lease.
const MAX_LEASE_DOUBLINGS = 8

/**
 * Postgres. Two shapes stand behind every statement that picks rows, and both are needed:
 *
 * - The picking is a materialized CTE with `for update skip locked`: run once, and its rows are locked before anybody
 *   else can pick them. As a plain `in (select … limit n)`, 16 claimers took 1,575 of 2,000 rows more than once.
 * - What changes the rows repeats the whole condition. A row that was picked may have been changed by another between
 *   the look and the lock; a clean-up without it deleted a row that a replay had just made pending.
 *
 * Nothing here waits for a lock while it holds one out of order: who picks, skips; who settles, holds the only claim.
 */
export const postgresDialect: Dialect = {
  name: 'postgres',
  list: (values) => sqlText`select value from unnest(${texts(values)}) as listed (value)`,
  first,
  among,
  lock: (how, table) =>
    raw(`${how === 'share' ? 'for share' : 'for update'} of ${table}${how === 'pick' ? ' skip locked' : ''}`),
  enqueue,
  take,
  deleteSettled,
  settle,
  settleAndTake,
  extend,
  begin,
  replay,
  unhold,
  prune,
}

/**
 * Hidden from the planner, which then reckons with a tenth of the rows and takes them in order. Told a limit about as
 * large as the number of rows that it expects, it finds the order not worth an index: in a burst of which the statistics
 * knew nothing it read and sorted all 20,000 due rows for each claim of 16 (1.1 ms, against 0.1).
 */
function first(rows: number): SqlText {
  return sqlText`limit (select cast(${rows} as bigint))`
}

/** As an array: of that the planner expects ten, whatever it expects of the table, and goes by the key. */
function among(found: SqlText): SqlText {
  return sqlText`= any (array(${found}))`
}

/**
 * The condition once more, on the row as it is now that it is locked. In a `case`, through which the planner does not
 * look for an index: statistics from before a burst made it read all 50,000 due rows for a claim of 25 (430 ms).
 */
function stillPicked(where: SqlText): SqlText {
  return sqlText`id ${among(raw('select picked_id from picked'))} and case when ${where} then true else false end`
}

/** A list as one parameter: an array's literal, which every driver passes on as the text that it is. */
function texts(values: readonly (string | null)[]): SqlText {
  const quoted = values.map((value) => (value === null ? 'null' : `"${value.replace(/["\\]/g, '\\$&')}"`))
  return sqlText`cast(cast(${`{${quoted.join(',')}}`} as text) as text[])`
}

function numbers(values: readonly (number | null)[]): SqlText {
  return sqlText`cast(cast(${`{${values.map((value) => value ?? 'null').join(',')}}`} as text) as bigint[])`
}

function enqueue(events: readonly OutboxEvent[]): SqlText {
  // `order by`: two that insert the same ids must not wait for each other in a circle.
  // Handed off only if the id's time is near the clock: the sweep finds such rows by the time in their id.
  return sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, max_attempts, due_at, created_at, payload)
    select id, workspace_id, event_type, endpoint_id, max_attempts,
      case due
        when 'now' then ${clock()}
        when 'handed-off' then case when abs(id_time - ${clock()}) <= 300000 then null else ${clock()} end
        else cast(due as bigint)
      end,
      ${clock()}, payload
    from unnest(
      ${texts(events.map((event) => rowId(event.eventId, event.endpointId)))},
      ${texts(events.map((event) => event.workspaceId))},
      ${texts(events.map((event) => event.type))},
      ${texts(events.map((event) => event.endpointId ?? null))},
      ${numbers(events.map((event) => event.maxAttempts ?? DEFAULT_MAX_ATTEMPTS))},
      ${texts(events.map((event) => String(event.due ?? 'now')))},
      ${numbers(events.map((event) => eventIdTime(event.eventId)))},
      ${texts(events.map((event) => event.payload))}
    ) as event (id, workspace_id, event_type, endpoint_id, max_attempts, due, id_time, payload)
    order by id collate "C"
    on conflict (id) do nothing
    returning id`
}

function take(how: TakeOptions): SqlText {
  const { picked, update } = taking(how, raw(''))
  return sqlText`with picked as materialized (${picked}) ${update}`
}

/**
 * One journey, one snapshot. What is settled here is seen by the picking as it was before, so it is named: a row whose
 * lease is over must not be taken instead. The array also makes the settling come first.
 */
function settleAndTake(settling: SqlText, claims: readonly ClaimRef[], how: TakeOptions): SqlText {
  const notSettled = raw('<> all (array(select id from settled))')
  const { picked, update } = taking(how, sqlText`and id ${notSettled}`)
  return sqlText`
    with settled as (${settling}),
    lost as (select claim_id as "lostId" from ${held(claims)} where claim_id ${notSettled}),
    picked as materialized (${picked}),
    taken as (${update})
    select * from taken full join lost on false`
}

function taking(how: TakeOptions, besides: SqlText): { picked: SqlText; update: SqlText } {
  const now = clock(how.now)
  const claim = how.as === 'claim'
  const lease = claim
    ? sqlText`${now} + ${how.leaseMs}`
    : sqlText`${now} + least(cast(${how.leaseMs} as bigint) * (1 << least(gen, ${raw(String(MAX_LEASE_DOUBLINGS))})),
        greatest(cast(${how.leaseMs} as bigint), ${now} - created_at))`
  const { where, order } = wanted(how.rows, now)
  const picked = sqlText`select id as picked_id from pending_events where ${where} ${besides}
    order by ${order} ${first(how.limit)} for update skip locked`
  const update = sqlText`
    update pending_events set
      gen = gen + 1,
      crashes = crashes + case when claimed_at is not null then 1 else 0 end,
      attempts = case when ${USED_UP} then attempts else attempts - ${raw(REFUND)} + ${raw(claim ? '1' : '0')} end,
      status = case when ${USED_UP} then 'failed' else 'pending' end,
      due_at = case when ${USED_UP} then null else ${lease} end,
      claimed_at = ${claim ? sqlText`case when ${USED_UP} then null else ${now} end` : raw('null')},
      completed_at = case when ${USED_UP} then ${now} end,
      last_error = case
        when not (${USED_UP}) then last_error
        when claimed_at is not null then ${raw(`'${UNKNOWN_OUTCOME}'`)}
        else coalesce(last_error, ${raw(`'${ATTEMPTS_EXHAUSTED}'`)})
      end
    where ${stillPicked(where)}
    returning ${COLUMNS}`
  return { picked, update }
}

function wanted(rows: TakeOptions['rows'], now: SqlText): { where: SqlText; order: SqlText } {
  switch (rows.kind) {
    case 'due':
      return {
        where: sqlText`status = 'pending' and due_at is not null and due_at <= ${now}`,
        order: raw('due_at, id'),
      }
    case 'first-sends':
      return {
        where: sqlText`status = 'pending' and due_at is null and id >= ${rows.fromId} and id < ${rows.toId}`,
        order: raw('id'),
      }
    case 'handed-off':
      // The key range itself bounds what is read.
      return {
        where: sqlText`id > ${rows.afterId} and id <= ${rows.toId} and status = 'pending' and due_at is null
          and created_at < ${rows.createdBefore}`,
        order: raw('id'),
      }
    case 'named':
      return {
        where: sqlText`(id, gen) in (select claim_id, claim_gen from ${held(rows.claims)}) and status = 'pending'`,
        order: raw('id'),
      }
  }
}

/** The claims as rows of (claim_id, claim_gen), by key, so that those who lock the same rows do so in the same order. */
function held(claims: readonly ClaimRef[]): SqlText {
  const sorted = claims.toSorted(byKey)
  return sqlText`unnest(${texts(sorted.map(({ id }) => id))}, ${numbers(sorted.map(({ gen }) => gen))}) as held (claim_id, claim_gen)`
}

function byKey(a: ClaimRef, b: ClaimRef): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

function deleteSettled(claims: readonly ClaimRef[]): SqlText {
  return sqlText`
    delete from pending_events using ${held(claims)}
    where id = claim_id and gen = claim_gen and status = 'pending'
    returning id`
}

function settle(moves: readonly Move[], now: number | undefined): SqlText {
  const sorted = moves.toSorted(byKey)
  // attempts: a claim has charged already (its mark stands), a queue consumer that only began has not.
  return sqlText`
    update pending_events set
      status = to_status,
      hold_reason = held_for,
      attempts = least(max_attempts, greatest(0, attempts + charged - case when claimed_at is not null then 1 else 0 end)),
      deferrals = deferrals + deferral,
      gen = gen + case when to_status in ('pending', 'held') then 1 else 0 end,
      due_at = case when to_status = 'pending' then coalesce(to_due_at, ${clock(now)} + coalesce(delay_ms, 0)) end,
      claimed_at = null,
      completed_at = case when to_status in ('completed', 'failed') then ${clock(now)} end,
      last_error = case when error is null and to_status <> 'completed' then last_error else error end,
      last_status = coalesce(http_status, last_status)
    from unnest(
      ${texts(sorted.map(({ id }) => id))},
      ${numbers(sorted.map(({ gen }) => gen))},
      ${texts(sorted.map(({ status }) => status))},
      ${numbers(sorted.map(({ charged }) => (charged ? 1 : 0)))},
      ${numbers(sorted.map(({ deferral }) => (deferral ? 1 : 0)))},
      ${numbers(sorted.map(({ delayMs }) => delayMs))},
      ${numbers(sorted.map(({ dueAt }) => dueAt))},
      ${texts(sorted.map(({ error }) => error))},
      ${numbers(sorted.map(({ httpStatus }) => httpStatus))},
      ${texts(sorted.map(({ holdReason }) => holdReason))}
    ) as move (claim_id, claim_gen, to_status, charged, deferral, delay_ms, to_due_at, error, http_status, held_for)
    where id = claim_id and gen = claim_gen and status = 'pending'
    returning id`
}

function extend(claims: readonly ClaimRef[], leaseMs: number, now: number | undefined): SqlText {
  const stands = raw(`id = claim_id and gen = claim_gen and status = 'pending' and claimed_at is not null`)
  // A row that is locked is being settled, by this worker's other hand or by another's: it is left to that, and counted
  // as held until it is seen to be gone. Waiting for it, in an order of its own, could wait for ever.
  return sqlText`
    with standing as materialized (
      select claim_id, claim_gen from pending_events join ${held(claims)} on ${stands}),
    free as materialized (
      select id as free_id, claim_gen as free_gen from pending_events join standing on ${stands}
      for update of pending_events skip locked),
    extended as (
      update pending_events set due_at = greatest(due_at, ${clock(now)} + ${leaseMs})
      from free where id = free_id and gen = free_gen and status = 'pending' and claimed_at is not null)
    select claim_id as id from standing`
}

function begin(claims: readonly ClaimRef[]): SqlText {
  return sqlText`
    select ${COLUMNS} from pending_events join ${held(claims)} on id = claim_id
    where status = 'pending'
      and (gen = claim_gen or (gen > claim_gen and attempts = 0 and deferrals = 0 and crashes = 0))`
}

function replay(filter: ReplayWhere, now: number | undefined): SqlText {
  const aside = filter.holdFor !== undefined
  const wanted = [raw('completed_at is not null')]
  if (filter.ids) wanted.push(sqlText`id in (${postgresDialect.list(filter.ids)})`)
  if (filter.workspaceId !== undefined) wanted.push(sqlText`workspace_id = ${filter.workspaceId}`)
  if (filter.endpointId !== undefined) wanted.push(sqlText`endpoint_id = ${filter.endpointId}`)
  if (filter.status !== undefined) wanted.push(sqlText`status = ${filter.status}`)
  if (filter.settledAfter !== undefined) wanted.push(sqlText`completed_at >= ${filter.settledAfter}`)
  if (filter.settledBefore !== undefined) wanted.push(sqlText`completed_at < ${filter.settledBefore}`)
  const where = wanted.reduce((all, one) => sqlText`${all} and ${one}`)
  return sqlText`
    with picked as materialized (
      select id as picked_id from pending_events where ${where}
      order by completed_at, id ${first(filter.limit)} for update skip locked)
    update pending_events set status = ${aside ? 'held' : 'pending'}, hold_reason = ${filter.holdFor ?? null}, gen = gen + 1,
      attempts = 0, deferrals = 0, crashes = 0, claimed_at = null, completed_at = null, due_at = ${aside ? raw('null') : clock(now)}
    where ${stillPicked(where)}
    returning id`
}

function unhold(endpointId: string, limit: number, now: number | undefined): SqlText {
  const where = sqlText`status = 'held' and endpoint_id = ${endpointId}`
  return sqlText`
    with picked as materialized (
      select id as picked_id from pending_events where ${where} order by id ${first(limit)} for update skip locked)
    update pending_events set status = 'pending', hold_reason = null, gen = gen + 1, due_at = ${clock(now)}
    where ${stillPicked(where)}
    returning id`
}

function prune(retentionMs: number, limit: number, now: number | undefined): SqlText {
  const where = sqlText`completed_at is not null and completed_at < ${clock(now)} - ${retentionMs}`
  return sqlText`
    with picked as materialized (
      select id as picked_id from pending_events where ${where}
      order by completed_at, id ${first(limit)} for update skip locked)
    delete from pending_events where ${stillPicked(where)}`
}
