import type { TakeOptions } from '../database.ts'
import { ATTEMPTS_EXHAUSTED, type ClaimRef, REFUNDED_CRASHES, ROW_COLUMNS, UNKNOWN_OUTCOME } from '../row.ts'
import { type SqlText, clock, raw, sqlText } from '../statement.ts'
import { held } from './lists.ts'
import { first, stillPicked } from './pick.ts'

const COLUMNS = raw(ROW_COLUMNS)

// One rule, read by every statement that takes a row: the first crashes are given back before attempts are counted.
const REFUND = `case when claimed_at is not null and crashes < ${REFUNDED_CRASHES} then 1 else 0 end`
const USED_UP = raw(`attempts - ${REFUND} >= max_attempts`)

// 256 leases: a sweep that finds the same row again and again hands it over ever more rarely. No queue is further behind
// than its row is old, though: after an outage in which each tick takes and gives back, a young row waits one lease.
const MAX_LEASE_DOUBLINGS = 8

export function take(how: TakeOptions): SqlText {
  const { picked, update } = taking(how, raw(''))
  return sqlText`with picked as materialized (${picked}) ${update}`
}

/**
 * One journey, one snapshot. What is settled here is seen by the picking as it was before, so it is named: a row whose
 * lease is over must not be taken instead. The array also makes the settling come first.
 */
export function settleAndTake(settling: SqlText, claims: readonly ClaimRef[], how: TakeOptions): SqlText {
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
  const { where, order } = whichOf(how.rows, now)
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

function whichOf(rows: TakeOptions['rows'], now: SqlText): { where: SqlText; order: SqlText } {
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
