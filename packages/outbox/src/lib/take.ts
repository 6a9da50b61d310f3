import type { TakeOptions } from './take-options.ts'
import type { Dialect, Picked, Which } from './dialect.ts'
import type { LaneShare } from './lane-ref.ts'
import { STATE_COLUMNS, TAKEN_COLUMNS } from './row.ts'
import { type SqlText, clock, raw, sqlText } from './statement.ts'
import { takeSet } from './transitions.ts'

/**
 * Takes rows under a lease, or marks those failed whose attempts are exhausted; returns rows. The condition does not
 * filter on remaining attempts: a row whose worker died on its last attempt would then stay pending for good.
 */
export function takeStatement(dialect: Dialect, how: TakeOptions): SqlText {
  const picked = pickToTake(dialect, how)
  return sqlText`${picked.with} ${takeUpdate(dialect, how, picked.where)}`
}

/** Picks the rows that a take updates. */
export function pickToTake<P extends Picked>(
  dialect: Pick<Dialect, 'claims'> & { pick(which: Which): P; pickLanes(lanes: readonly LaneShare[]): P },
  { rows, limit, now }: Pick<TakeOptions, 'rows' | 'limit' | 'now'>,
): P {
  return rows.kind === 'lanes'
    ? dialect.pickLanes(rows.lanes)
    : dialect.pick({ ...rowsToTake(dialect, { rows, now }), limit })
}

/** The update of a take, for the rows that a condition names. */
export function takeUpdate(dialect: Dialect, { as, leaseMs, now }: TakeOptions, where: SqlText): SqlText {
  return sqlText`
    update pending_events set ${takeSet(dialect, as, leaseMs, clock(now))}
    where ${where}
    returning ${as === 'claim' ? TAKEN_COLUMNS : STATE_COLUMNS}`
}

/** The condition and the order of the rows to take. */
export function rowsToTake(
  dialect: Pick<Dialect, 'claims'>,
  { rows, now }: { rows: Exclude<TakeOptions['rows'], { kind: 'lanes' }>; now: number | undefined },
): Omit<Which, 'limit'> {
  switch (rows.kind) {
    case 'due':
      return {
        where: sqlText`status = 'pending' and due_at is not null and ready = 0 and due_at <= ${clock(now)}`,
        by: 'pending_events_due',
        order: raw('due_at, id'),
      }
    case 'first-sends':
      return {
        where: sqlText`status = 'pending' and due_at is null and id >= ${rows.fromId} and id < ${rows.toId}`,
        order: raw('id'),
      }
    case 'dispatched':
      // The key range itself bounds how many rows are read.
      return {
        where: sqlText`id > ${rows.afterId} and id <= ${rows.toId} and status = 'pending' and due_at is null
          and created_at < ${rows.createdBefore}`,
        order: raw('id'),
      }
    case 'named':
      return {
        where: sqlText`(id, gen) in (${dialect.claims(rows.claims)}) and status = 'pending'`,
        order: raw('id'),
      }
  }
}
