import { type DeliveryPage, type Engine, EngineError, allWorkspaces } from '@keepsend/engine'
import type { Reader } from '../../reader/reader.ts'
import { CLASSES, DEFAULT_RANGE, type Filters, PAGE_ROWS, RANGES, STATUSES } from './delivery-filters.tsx'

/** The deliveries of a page. An id in the search finds its event's deliveries. */
export async function findDeliveries(engine: Engine, filters: Filters, reader: Reader): Promise<DeliveryPage> {
  const scope = filters.workspace ?? allWorkspaces
  const range = RANGES.find(([value]) => value === (filters.time ?? DEFAULT_RANGE)) ?? RANGES[1]
  const eventId = filters.event ?? eventIdIn(filters.q)
  return engine.deliveries.list(scope, {
    limit: PAGE_ROWS,
    before: filters.before,
    status: oneOf(STATUSES, filters.status),
    httpClass: oneOf(CLASSES, filters.http),
    type: filters.type,
    endpointId: filters.endpoint,
    eventId,
    // An event is found by its id, however old it is.
    since: eventId === undefined && range ? reader.now - range[2] : undefined,
  })
}

/** The event id at the beginning of an id; what is no id is refused with a sentence. */
function eventIdIn(q: string | undefined): string | undefined {
  if (q === undefined) return undefined
  const id = /^evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/.exec(q.trim())?.[0]
  if (id === undefined)
    throw new EngineError('invalid_request', `an event id begins with evt_; found ${q.slice(0, 100)}`)
  return id
}

function oneOf<V extends string>(
  choices: readonly (readonly [V, ...unknown[]])[],
  value: string | undefined,
): V | undefined {
  return choices.find(([choice]) => choice === value)?.[0]
}
