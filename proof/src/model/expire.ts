import { expireEvents } from '@keepsend/outbox'
import { type Row, TICK_MS, type Table, nameOf } from './state.ts'
import { type Verb, numberOf } from './verbs.ts'

/** Maximum age of rows that expire, in ticks: less than a lease, so that some row is too old under a live one. */
const MAX_AGE_TICKS = 1

/** When rows with a limit of their own expire, in ticks after their insert: before they are too old. */
export const LIMIT_TICKS = 1

/** Rows that are too old fail. */
export function expire(): Verb<number[]> {
  const options = { maxAgeMs: MAX_AGE_TICKS * TICK_MS }
  return {
    kind: 'expire',
    key: 'expire',
    refs: [],
    run: async (db) => (await expireEvents(db, options)).ids.map(numberOf),
    current: () => [],
  }
}

export function isTooOld({ life, expiresAt }: Row, { clock }: Table): boolean {
  return clock - life > MAX_AGE_TICKS || (expiresAt !== null && expiresAt <= clock)
}

/** Whether only its holder may still settle it. */
export function isLeased({ status, claimed, dueAt }: Row, { clock }: Table): boolean {
  return status === 'pending' && claimed && dueAt !== null && dueAt > clock
}

/** The rules of an expiry. Returns the one that is broken. */
export function faultOfExpiry(before: Table, after: Table): string | undefined {
  for (const was of before.rows) {
    const expired = !was.expired && after.rows.some((is) => is.row === was.row && is.expired)
    if (expired && !isTooOld(was, before)) return `expired only when too old: ${nameOf(was)} was ${was.status}`
    const isOpen = was.status === 'pending' || was.status === 'held'
    if (!expired && isOpen && isTooOld(was, before) && !isLeased(was, before))
      return `too old and not leased: ${nameOf(was)} was ${was.status} and did not expire`
  }
  return undefined
}
