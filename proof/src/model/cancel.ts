import { cancelStatement, eventIdOf } from '@keepsend/outbox/internal'
import { isLeased } from './expire.ts'
import { type Local, type Row, type Table, letterOf, nameOf } from './state.ts'
import { IDS, LANE, type Verb } from './verbs.ts'

/** The event of a row is cancelled. */
export function cancel(row: number): Verb<number> {
  const which = { eventId: eventIdOf(IDS[row] ?? ''), workspaceId: LANE.workspaceId, limit: 10 }
  return {
    kind: 'cancel',
    key: `cancel ${letterOf(row)}`,
    refs: [],
    workspaceId: LANE.workspaceId,
    run: async (db) => (await db.run(cancelStatement(db, which))).changes,
    current: () => [],
  }
}

function isUnattempted({ status, attempts, crashes, claimed }: Row): boolean {
  return (status === 'pending' || status === 'held') && attempts === 0 && crashes === 0 && !claimed
}

/** The rules of a cancel. Returns the one that is broken. */
export function faultOfCancel(before: Table, after: Table, key: string): string | undefined {
  for (const was of before.rows) {
    const isCancelled = after.rows.some((is) => is.row === was.row && is.cancelled)
    if (isCancelled && !was.cancelled && (!isUnattempted(was) || isLeased(was, before)))
      return `cancelled only without an attempt: ${nameOf(was)} was ${was.status} after ${was.attempts}`
    if (!isCancelled && isUnattempted(was) && key === cancel(was.row).key)
      return `cancelled if not attempted: ${nameOf(was)} was ${was.status} and was not`
  }
  return undefined
}

/** A claim of a poller marks its row, so nobody holds one that is cancelled. A consumer of a queue may have begun it. */
export function isCancelledInHand(was: Row, is: Row | undefined, { workers }: Local): boolean {
  const isNew = is?.cancelled === true && !was.cancelled
  return isNew && workers.flat().some((hand) => hand.message === -1 && nameOf(hand) === nameOf(was))
}
