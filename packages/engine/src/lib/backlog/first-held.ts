import type { OutboxDatabase } from '@keepsend/outbox'
import { type KeyRange, type SqlText, raw, sqlText } from '@keepsend/outbox/internal'

/** The id of the first held row of `keepsend_endpoints` in an order, null where none is held: one look-up. */
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
