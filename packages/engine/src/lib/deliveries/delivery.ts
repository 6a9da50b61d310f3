import type { HoldReason } from '../outcome.ts'
import type { PendingEvent } from '@keepsend/outbox'

/** A row of `pending_events`, held for a reason of the engine's. */
export interface Delivery extends PendingEvent {
  holdReason: HoldReason | null
}

/** A delivery without its payload, as lists have it. */
export type DeliveryState = Omit<Delivery, 'payload'>
