import { type DeliveryPage, type Engine, allWorkspaces } from '@keepsend/engine'
import { eventIdIn } from '../../history/find-delivery.ts'
import type { Reader } from '../../reader/reader.ts'
import {
  CLASSES,
  type Filters,
  PAGE_ROWS,
  STATUSES,
  errorClassIn,
  oneOf,
  rangeMs,
} from '../../history/delivery-choices.ts'

/** The deliveries of a page. An id in the search finds its event's deliveries. */
export async function findDeliveries(engine: Engine, filters: Filters, reader: Reader): Promise<DeliveryPage> {
  const eventId = filters.event ?? eventIdIn(filters.q)
  return engine.deliveries.list(filters.workspace ?? allWorkspaces, {
    limit: PAGE_ROWS,
    before: filters.before,
    status: oneOf(STATUSES, filters.status),
    httpClass: oneOf(CLASSES, filters.http),
    errorClass: errorClassIn(filters.error),
    httpStatus: filters.code === undefined ? undefined : Number(filters.code),
    type: filters.type,
    endpointId: filters.endpoint,
    eventId,
    // An event is found by its id, however old it is.
    since: eventId === undefined ? reader.now - rangeMs(filters.time) : undefined,
  })
}
