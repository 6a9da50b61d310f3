import { type Engine, EngineError } from '@keepsend/engine'

/** The URLs of the endpoints of some rows. A page has few endpoints, each of which is read once. */
export async function urlsOf(
  engine: Engine,
  rows: readonly { workspaceId: string; endpointId: string | null }[],
): Promise<ReadonlyMap<string, string>> {
  const wanted = new Map(
    rows.flatMap(({ endpointId, workspaceId }) => (endpointId === null ? [] : [[endpointId, workspaceId]])),
  )
  const urls = new Map<string, string>()
  await Promise.all(
    [...wanted].map(async ([id, workspaceId]) => {
      try {
        const { url } = await engine.endpoints.get(workspaceId, id)
        urls.set(id, url)
      } catch (error) {
        // A deleted endpoint is shown by its id.
        if (!(error instanceof EngineError && error.code === 'not_found')) throw error
      }
    }),
  )
  return urls
}
