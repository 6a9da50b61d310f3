import type { OutboxDatabase } from '@keepsend/outbox'
import { EngineError, checkNames, checkOneOf } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { type CatalogVersions, createCatalogVersions } from './catalog-versions.ts'
import { EventCatalog } from './event-catalog.ts'
import { EVENT_TYPE_FILTER, type EventType, type EventTypeFilter, eventTypesOf } from './event-types.ts'
import { VALIDATIONS, type Validation, createEventValidator } from './event-validator.ts'
import { createEventVersioning } from './event-versioning.ts'
import { type EventPreparing, createEventPreparing } from './prepare-events.ts'

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

interface CatalogDeps {
  db: OutboxDatabase
  logger: Logger
  monotonic: () => number
}

/** The parts of an engine that its catalog makes. */
interface CatalogParts {
  catalog: EventCatalog | undefined
  eventTypes(filter?: EventTypeFilter): EventType[]
  preparing: EventPreparing
  /** Undefined: the catalog has no versions. */
  versions: CatalogVersions | undefined
}

export function createCatalogParts({ catalog, validation, ...deps }: CatalogOptions & CatalogDeps): CatalogParts {
  const { logger } = deps
  const versions = catalog && createCatalogVersions(catalog, validation, logger)
  const validator = catalog && validation !== 'off' ? createEventValidator(catalog, validation, logger) : undefined
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
    preparing: createEventPreparing(validator, createEventVersioning(deps.db, versions, deps)),
    versions,
  }
}
