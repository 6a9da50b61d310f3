import type { Endpoint } from '@keepsend/engine'
import type { PortalVisit } from '../portal-visit.ts'

/** How the audit names those who came by a link. */
export const CUSTOMER_PREFIX = 'portal: '

/**
 * Whether the sender disabled the endpoint by hand, so that no customer enables it again. Of an action that the audit retains no longer
 * nobody knows who it was: that counts as the sender.
 */
export async function isDisabledBySender(
  { engine, workspaceId }: Pick<PortalVisit, 'engine' | 'workspaceId'>,
  { id, status, disabledReason }: Endpoint,
): Promise<boolean> {
  if (status === 'enabled' || disabledReason !== 'manual') return false
  const { rows } = await engine.audit.list(workspaceId, { endpointId: id, verb: 'endpoint.disable', limit: 1 })
  return !rows[0]?.by?.startsWith(CUSTOMER_PREFIX)
}
