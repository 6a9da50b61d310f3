import type { Endpoint } from '@keepsend/engine'
import type { Visit } from '../../site/visit.ts'

export async function findEndpoint({ engine, param }: Visit): Promise<{ workspaceId: string; endpoint: Endpoint }> {
  const workspaceId = param('workspace')
  return { workspaceId, endpoint: await engine.endpoints.get(workspaceId, param('id')) }
}
