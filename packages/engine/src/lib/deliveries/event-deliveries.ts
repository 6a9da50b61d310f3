import type { OutboxDatabase } from '@keepsend/outbox'
import { eventRange, isEventId, limitTo, sqlText } from '@keepsend/outbox/internal'
import type { DeliveryState } from './delivery.ts'
import { STATE, toState } from './delivery-columns.ts'

const MAX_OF_EVENT = 1000

/** Reads the first 1,000 stored deliveries of an event, in the order of their endpoint ids. */
export async function readDeliveriesOf(
  db: OutboxDatabase,
  workspaceId: string,
  eventId: string,
): Promise<{ deliveries: DeliveryState[]; complete: boolean }> {
  if (!isEventId(eventId)) return { deliveries: [], complete: true }
  const { rows } = await db.run(sqlText`
    select ${STATE} from pending_events where workspace_id = ${workspaceId} and ${eventRange(eventId)}
    order by id ${limitTo(MAX_OF_EVENT + 1)}`)
  return { deliveries: rows.slice(0, MAX_OF_EVENT).map(toState), complete: rows.length <= MAX_OF_EVENT }
}
