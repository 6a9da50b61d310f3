import type { Published } from './publisher.ts'
import { type Endpoint, MAX_AGE_MS, WORKSPACES } from './sites.ts'
import type { Failed } from './store.ts'

/** The result of each delivery of each requested event, in the words of a `Tally`. */
export interface Ends {
  attempt: number
  acknowledged: number
  okIn: Map<string, number>
  expired: number
  lost: number
  recovered: number
  /** Missing deliveries of an unacknowledged event of which others were committed. */
  missingParts: number
  /** Deliveries that should not have failed. */
  wronglyFailed: number
}

export function compareEnds({
  published,
  taken,
  failed,
  endpoints,
}: {
  published: Published
  /** Ids of deliveries that a receiver has accepted. */
  taken: Pick<ReadonlyMap<string, unknown>, 'has'>
  failed: readonly Failed[]
  endpoints: readonly Endpoint[]
}): Ends {
  const expired = expiredOf(failed, endpoints)
  const ends: Ends = {
    attempt: 0,
    acknowledged: 0,
    okIn: new Map(WORKSPACES.map((workspaceId) => [workspaceId, 0])),
    expired: 0,
    lost: 0,
    recovered: 0,
    missingParts: 0,
    wronglyFailed: failed.length - expired.size,
  }
  for (const [id, { workspaceId }] of published.attempted) {
    const owed = endpoints.filter((endpoint) => endpoint.workspaceId === workspaceId)
    const arrived = owed.filter((endpoint) => !endpoint.expires && taken.has(`${id}.${endpoint.id}`)).length
    const late = owed.filter((endpoint) => expired.has(`${id}.${endpoint.id}`)).length
    const missing = owed.length - arrived - late
    ends.attempt += owed.length
    if (published.acknowledged.has(id)) {
      ends.acknowledged += owed.length
      ends.okIn.set(workspaceId, (ends.okIn.get(workspaceId) ?? 0) + arrived)
      ends.expired += late
      ends.lost += missing
    } else {
      ends.recovered += arrived + late
      if (arrived + late > 0) ends.missingParts += missing
    }
  }
  return ends
}

/** Deliveries that expired correctly: at a disabled endpoint, and not too early. */
function expiredOf(failed: readonly Failed[], endpoints: readonly Endpoint[]): Set<string> {
  const collecting = endpoints.filter(({ expires }) => expires)
  const rightly = failed.filter(
    ({ id, error, ageMs }) =>
      error === 'expired' && ageMs > MAX_AGE_MS && collecting.some((endpoint) => id.endsWith(`.${endpoint.id}`)),
  )
  return new Set(rightly.map(({ id }) => id))
}
