import { type Endpoint, type EndpointStatistics, type Engine, type WorkspaceScope } from '@keepsend/engine'
import { unlessOff } from './unless-off.ts'

// The statistics of a summary begin at a whole hour.
const SUMMARY_MS = 23 * 3_600_000

/** The last 24 hours of some endpoints, in one call; undefined without statistics. */
export async function dayOf(
  engine: Engine,
  workspaces: WorkspaceScope,
  { endpoints, now }: { endpoints: readonly Endpoint[]; now: number },
): Promise<ReadonlyMap<string, EndpointStatistics> | undefined> {
  if (endpoints.length === 0) return new Map()
  const summary = await unlessOff(() =>
    engine.statistics.summary(workspaces, { endpointIds: endpoints.map(({ id }) => id), since: now - SUMMARY_MS }),
  )
  return summary && new Map(summary.endpoints.map((one) => [one.endpointId, one]))
}
