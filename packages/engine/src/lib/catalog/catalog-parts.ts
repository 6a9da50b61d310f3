import { EngineError, checkNames, checkOneOf } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { type CatalogVersions, createCatalogVersions } from './catalog-versions.ts'
import { EventCatalog } from './event-catalog.ts'
import { EVENT_TYPE_FILTER, type EventType, type EventTypeFilter, eventTypesOf } from './event-types.ts'
import { type EventValidator, VALIDATIONS, type Validation, createEventValidator } from './event-validator.ts'

/** The options of an engine that are about its catalog. */
export interface CatalogOptions {
  catalog?: EventCatalog | undefined
  validation: Validation
}

/** @throws {EngineError} `invalid_option` */
export function checkCatalog({ catalog, validation }: CatalogOptions): void {
  checkOneOf('validation', validation, VALIDATIONS)
  if (catalog !== undefined && !(catalog instanceof EventCatalog))
    throw new EngineError('invalid_option', 'catalog must be made by defineEvents; found another object')
}

/** The parts of an engine that its catalog makes. */
interface CatalogParts {
  catalog: EventCatalog | undefined
  eventTypes(filter?: EventTypeFilter): EventType[]
  /** Undefined: nothing is validated, and a publish costs nothing more. */
  validator: EventValidator | undefined
  /** Undefined: the catalog has no versions. */
  versions: CatalogVersions | undefined
}

export function createCatalogParts({ catalog, validation }: CatalogOptions, logger: Logger): CatalogParts {
  // Made at the first call: JSON Schemas of a thousand types take time that a start should not.
  let types: readonly EventType[] | undefined
  return {
    catalog,
    eventTypes(filter = {}) {
      checkNames('engine.eventTypes', EVENT_TYPE_FILTER, filter)
      const { deprecated } = filter
      types ??= catalog ? eventTypesOf(catalog, logger) : []
      return types.filter((one) => deprecated === undefined || one.deprecated === deprecated)
    },
    validator: catalog && validation !== 'off' ? createEventValidator(catalog, validation, logger) : undefined,
    versions: catalog && createCatalogVersions(catalog, validation, logger),
  }
}
