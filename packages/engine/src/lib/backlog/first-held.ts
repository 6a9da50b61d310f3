import type { OutboxDatabase } from '@keepsend/outbox'
import { type KeyRange, type SqlText, raw, sqlText } from '@keepsend/outbox/internal'

/** An expression: the id of the first held row of a row of `keepsend_endpoints`, in this order, or null. One index look-up. */
export function firstHeld(
  { dialect }: OutboxDatabase,
  order: 'oldestFirst' | 'newestFirst',
  only: SqlText = raw('1 = 1'),
  between: KeyRange = {},
): SqlText {
  const held = dialect.heldOf(raw('keepsend_endpoints.id'), between)
  return sqlText`(
    select id from pending_events ${dialect.by('pending_events_held')} where ${held.where} and ${only} order by ${held[order]} ${dialect.first(1)})`
}
