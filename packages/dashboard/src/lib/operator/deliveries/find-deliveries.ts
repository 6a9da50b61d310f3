import { type DeliveryPage, type Engine, allWorkspaces } from '@keepsend/engine'
import type { Reader } from '../../reader/reader.ts'
import { CLASSES, type Filters, PAGE_ROWS, STATUSES, errorClassIn, oneOf, rangeMs } from './delivery-choices.ts'

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

/** The event id at the beginning of an id; undefined for a text that is no id. */
export function eventIdIn(q: string | undefined): string | undefined {
  return /^evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/.exec(q?.trim() ?? '')?.[0]
}
