import { type Endpoint, type Engine, type WorkspaceScope, allWorkspaces } from '@keepsend/engine'

/** The endpoints of some rows, in one statement. A deleted one is missing. */
export async function endpointsOf(
  engine: Engine,
  rows: readonly { endpointId: string | null }[],
  scope: WorkspaceScope = allWorkspaces,
): Promise<ReadonlyMap<string, Endpoint>> {
  const ids = [...new Set(rows.flatMap(({ endpointId }) => (endpointId === null ? [] : [endpointId])))]
  const found = ids.length === 0 ? [] : await engine.endpoints.getMany(scope, ids)
  return new Map(found.map((endpoint) => [endpoint.id, endpoint]))
}
