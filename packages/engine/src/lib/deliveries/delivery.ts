import type { HoldReason } from '../outcome.ts'
import type { PendingEvent } from '@keepsend/outbox'

/** A row of `pending_events`; the engine knows the reasons for which rows are held. */
export interface Delivery extends PendingEvent {
  holdReason: HoldReason | null
}

/** A delivery without its payload, as in lists. */
export type DeliveryState = Omit<Delivery, 'payload'>
