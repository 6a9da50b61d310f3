import type { Endpoint, Engine } from '@keepsend/engine'

/** More are not counted. */
const MOST = 100

export interface Held {
  count: number
  /** Whether there are more than were counted. */
  isMore: boolean
  /** When the oldest was published, ms since the epoch; null: there is none, or more than were counted. */
  oldestAt: number | null
}

/** Counts the held deliveries of an endpoint, up to a hundred, by one statement. */
export async function heldOf(engine: Engine, { workspaceId, id }: Endpoint): Promise<Held> {
  const { rows, next } = await engine.deliveries.list(workspaceId, { endpointId: id, status: 'held', limit: MOST })
  const isMore = next !== undefined
  return { count: rows.length, isMore, oldestAt: isMore ? null : (rows.at(-1)?.createdAt ?? null) }
}
