import type { TakenEvent } from '@keepsend/outbox'
import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import { EngineError } from '../errors.ts'
import { type Logger, errorFields } from '../logger.ts'

/** The delivery with its payload in the version that it is to have; undefined: it cannot be converted, which is logged. */
export function inVersion(
  { versions, logger }: { versions: Pick<CatalogVersions, 'convert'> | undefined; logger: Pick<Logger, 'error'> },
  event: TakenEvent,
): TakenEvent | undefined {
  if (event.convertTo === null) return event
  try {
    if (!versions) throw new EngineError('invalid_option', NO_VERSIONS)
    return { ...event, ...versions.convert(event) }
  } catch (error) {
    const fields = { deliveryId: event.id, endpointId: event.endpointId, ...errorFields(error) }
    logger.error(fields, 'failed to convert an event to the version of its endpoint; nothing was sent, retrying later')
    return undefined
  }
}

const NO_VERSIONS =
  'this engine has no catalog with versions, and cannot convert events: pass the catalog that the publisher has to createEngine'
