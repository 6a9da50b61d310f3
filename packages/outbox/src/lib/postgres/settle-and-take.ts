import type { Dialect, SettledRecords } from '../dialect.ts'
import type { ClaimRef } from '../row.ts'
import { type SqlText, raw, sqlText } from '../statement.ts'
import { pickToTake, takeUpdate } from '../take.ts'
import type { TakeOptions } from '../take-options.ts'
import { CLAIM_STANDS } from '../transitions.ts'
import { pick, pickLanes } from './pick.ts'

/**
 * One round trip and one snapshot. The pick sees settled rows as they were before, so their ids are excluded: a row
 * whose lease expired, in line again or not, must not be taken instead. The array also makes the settle run first.
 * `full join … on false` combines two results: each row is either taken or a lost claim.
 */
export function settleAndTake(
  dialect: Dialect,
  settling: SqlText,
  refs: readonly ClaimRef[],
  how: TakeOptions,
  recorded: SettledRecords | undefined,
): SqlText {
  const notSettled = raw('<> all (array(select id from settled))')
  const unless = sqlText`and id ${notSettled}`
  const picked = pickToTake(
    {
      claims: (claims) => dialect.claims(claims),
      pick: (which) => pick(which, unless),
      pickLanes: (lanes) => pickLanes(lanes, unless),
    },
    how,
  )
  return sqlText`
    with settled as (${recorded ? deleteClaims(recorded.claims, recorded.returning) : settling}),
    ${recorded ? sqlText`recorded as (${recorded.insert('settled')}),` : raw('')}
    lost as (select claim_id as "lostId" from (${dialect.claims(refs)}) as claim where claim_id ${notSettled}),
    ${picked.cte},
    taken as (${takeUpdate(dialect, how, picked.where)})
    select * from taken full join lost on false`
}

/** @param claims the table `claim` */
export function deleteClaims(claims: SqlText, returning = raw('')): SqlText {
  return sqlText`
    delete from pending_events using ${claims} where ${CLAIM_STANDS} returning id${returning}`
}
