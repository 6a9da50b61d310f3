import type { SqlText } from '@keepsend/outbox/internal'

/**
 * The types of operational webhooks. Endpoints of the operator's workspace, and with `workspaceNotifications` of each
 * workspace, subscribe to them by name, by `keepsend.endpoint.*` or by `keepsend.*`.
 */
export type OperationalType =
  | 'keepsend.endpoint.circuit_opened'
  | 'keepsend.endpoint.recovered'
  | 'keepsend.endpoint.failing'
  | 'keepsend.endpoint.disabled'
  | 'keepsend.delivery.failed'

/** Something that happened to an endpoint, to notify of. */
export interface Occurrence {
  type: OperationalType
  endpointId: string
  workspaceId: string | undefined
  /** The condition under which it happens; it holds until the change that it announces. */
  condition: SqlText
  data: Record<string, unknown>
}
