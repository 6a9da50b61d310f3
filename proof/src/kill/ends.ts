import type { Published } from './publisher.ts'
import { type Endpoint, MAX_AGE_MS, WORKSPACES } from './sites.ts'
import type { Failed } from './store.ts'

/** What became of each delivery of each event that was asked for; the words are those of a `Tally`. */
export interface Ends {
  attempt: number
  acknowledged: number
  okIn: Map<string, number>
  expired: number
  lost: number
  recovered: number
  /** Deliveries that are missing of an event that was not acknowledged, and of which others were committed. */
  halves: number
  /** Deliveries that failed, and should not have. */
  givenUp: number
}

export function compareEnds({
  published,
  taken,
  failed,
  endpoints,
}: {
  published: Published
  /** Ids of deliveries that a receiver has taken. */
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
    halves: 0,
    givenUp: failed.length - expired.size,
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
      if (arrived + late > 0) ends.halves += missing
    }
  }
  return ends
}

/** Deliveries that expired as they should: at an endpoint that takes nothing, and not before their time. */
function expiredOf(failed: readonly Failed[], endpoints: readonly Endpoint[]): Set<string> {
  const collecting = endpoints.filter(({ expires }) => expires)
  const rightly = failed.filter(
    ({ id, error, ageMs }) =>
      error === 'expired' && ageMs > MAX_AGE_MS && collecting.some((endpoint) => id.endsWith(`.${endpoint.id}`)),
  )
  return new Set(rightly.map(({ id }) => id))
}
