import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import { EngineError } from '../errors.ts'
import type { Endpoint, EndpointInput } from './endpoint.ts'

/** @throws {EngineError} `invalid_endpoint`: the catalog has no such version */
export function checkEventVersion(
  { eventVersion }: Pick<EndpointInput, 'eventVersion'>,
  versions: CatalogVersions | undefined,
): void {
  if (eventVersion === undefined || versions?.labels.includes(eventVersion)) return
  throw new EngineError(
    'invalid_endpoint',
    `eventVersion must be ${versions ? `one of ${versions.labels.join(', ')}` : 'left out, because the catalog of this server has no versions'}; found ${JSON.stringify(eventVersion.slice(0, 100))}`,
  )
}

/** The label of what an endpoint gets: the newest, if its own is not one of the catalog. Null: the catalog has no versions. */
export function versionFor(
  { eventVersion }: Pick<Endpoint, 'eventVersion'>,
  versions: CatalogVersions | undefined,
): string | null {
  if (!versions) return null
  const label = eventVersion ?? versions.oldest
  return versions.labels.includes(label) ? label : versions.newest
}
