import type { Endpoint } from '@keepsend/engine'
import type { PortalVisit } from '../portal-visit.ts'
import type { EndpointState } from './endpoint-state.ts'

// The longest overlap of two secrets that the portal offers.
const SHORTLY_MS = 7 * 86_400_000
const REFUSALS = [401, 403]

/** When the signing secret was changed, if that was shortly before the endpoint began to refuse requests. */
export async function rotatedBefore(
  { engine, workspaceId }: PortalVisit,
  { id: endpointId }: Endpoint,
  { trouble }: Pick<EndpointState, 'trouble'>,
): Promise<number | undefined> {
  if (!trouble || !REFUSALS.includes(trouble.problem?.httpStatus ?? 0)) return undefined
  const { rows } = await engine.audit.list(workspaceId, {
    endpointId,
    verb: 'endpoint.rotate_secret',
    since: trouble.since - SHORTLY_MS,
    limit: 1,
  })
  return rows[0]?.at
}
