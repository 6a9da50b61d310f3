import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, pendingEvents, sqlText } from '@keepsend/outbox/internal'
import type { Delivery, DeliveryState } from './delivery.ts'
import { jsonRow, readRow } from '../idempotency/idempotent-change.ts'

const SHOWN = [
  'id',
  'endpointId',
  'type',
  'status',
  'holdReason',
  'heldAt',
  'version',
  'convertTo',
  'attempts',
  'maxAttempts',
  'dueAt',
  'createdAt',
  'deliverAt',
  'expiresAt',
  'completedAt',
  'lastError',
  'lastStatus',
] as const

/** A delivery without its payload, as the API shows it and as the stored answer of an action contains it. */
export type ShownDelivery = Pick<Delivery, (typeof SHOWN)[number]>

/** Selects a delivery as one text for a stored answer. */
export function selectMoved(db: OutboxDatabase, where: SqlText): SqlText {
  return sqlText`
    select ${jsonRow(db, SHOWN)} from (
      select ${pendingEvents.some('moved', SHOWN)} from pending_events as moved where ${where}) as answered`
}

/** Parses the delivery that an action stored as its answer. */
export function readMoved(answer: string): ShownDelivery {
  return pendingEvents.read(readRow(SHOWN, answer)) as ShownDelivery
}

/** Every column but the payload. */
export const STATE = pendingEvents.except(['payload'])

export function toState(row: Row): DeliveryState {
  return pendingEvents.read<keyof DeliveryState>(row) as DeliveryState
}

// The type of `holdReason` is not checked: a reason that this engine does not know was written by hand, or by another version.
export function toDelivery(row: Row): Delivery {
  return pendingEvents.read(row) as Delivery
}
