import { type Engine, type WorkspaceScope, allWorkspaces } from '@keepsend/engine'
import { endpointsOf } from './endpoints-of.ts'

/** The URLs of the endpoints of some rows. A deleted one is missing: it is shown by its id. */
export async function urlsOf(
  engine: Engine,
  rows: readonly { endpointId: string | null }[],
  scope: WorkspaceScope = allWorkspaces,
): Promise<ReadonlyMap<string, string>> {
  const endpoints = await endpointsOf(engine, rows, scope)
  return new Map([...endpoints].map(([id, { url }]) => [id, url]))
}
