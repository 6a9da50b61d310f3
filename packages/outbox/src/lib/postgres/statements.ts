import { DEFAULT_MAX_ATTEMPTS, type OutboxEvent, eventIdTime, rowId } from '../event.ts'
import type { Dialect, Move, ReplayWhere } from '../database.ts'
import { type ClaimRef, ROW_COLUMNS } from '../row.ts'
import { type SqlText, clock, raw, sqlText } from '../statement.ts'
import { byKey, held, numbers, texts } from './lists.ts'
import { among, first, stillPicked } from './pick.ts'
import { settleAndTake, take } from './take.ts'

const COLUMNS = raw(ROW_COLUMNS)

/** Postgres. Nothing here waits for a lock while it holds one out of order: who picks, skips; who settles, holds the only claim. */
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
