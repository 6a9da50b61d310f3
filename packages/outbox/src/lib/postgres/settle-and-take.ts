import type { Dialect, SettledRecords } from '../dialect.ts'
import type { TableOfItems } from '../row-source.ts'
import type { ClaimRef } from '../row.ts'
import { type SqlText, raw, sqlText } from '../statement.ts'
import { pickToTake, takeUpdate } from '../take.ts'
import type { TakeOptions } from '../take-options.ts'
import { CLAIM_STANDS } from '../transitions.ts'
import { pick, pickLanes } from './pick.ts'
import { tableOfItems } from './rows.ts'

/**
 * One round trip and one snapshot. The pick sees settled rows as they were before, so their ids are excluded: a row
 * whose lease expired, in line again or not, must not be taken instead. That also makes the settle run first. Postgres looks an
 * id up in the hash of a subquery; it compared each with every element of an array (2 µs of 36 a delivery, in groups of 96).
 * `full join … on false` combines two results: each row is either taken or a lost claim.
 */
export function settleAndTake(
  dialect: Dialect,
  settling: SqlText | undefined,
  refs: readonly ClaimRef[],
  how: TakeOptions,
  records: ((table: TableOfItems) => SettledRecords) | undefined,
): SqlText {
  const unless = raw('and id not in (select id from settled)')
  const picked = pickToTake(
    {
      claims: (claims) => dialect.claims(claims),
      pick: (which) => pick(which, unless),
      pickLanes: (lanes) => pickLanes(lanes, unless),
    },
    how,
  )
  const recorded = records?.(tableOfItems)
  return sqlText`
    with claim as materialized (${recorded?.claims ?? dialect.claims(refs)}),
    settled as (${settling ?? deleteClaims(raw('claim'), recorded?.returning)}),
    ${recorded ? sqlText`recorded as (${recorded.insert('settled')}),` : raw('')}
    lost as (
      select claim_id as "lostId", claim_gen as "lostGen" from claim
      where (claim_id, claim_gen) not in (select id, gen from settled)),
    ${picked.cte},
    taken as (${takeUpdate(dialect, how, picked.where)})
    select * from taken full join lost on false`
}

/** @param claims the table `claim` */
export function deleteClaims(claims: SqlText, returning = raw('gen')): SqlText {
  return sqlText`
    delete from pending_events using ${claims} where ${CLAIM_STANDS} returning id, ${returning}`
}
