import type { ClaimRef, ExpiringEvent } from '@keepsend/outbox'
import { type SqlText, sqlText } from '@keepsend/outbox/internal'
import { type Tally, anyClaimIsCurrent } from './circuit-breaker.ts'
import { type DeliveryError, classOf } from '../error-classes.ts'
import { OWN_TYPES, prepareOwnEvent } from '../publish/event.ts'
import { type PublishTarget, fanOutStatements } from '../publish/fan-out.ts'
import { statementsOf } from '../publish/publish.ts'

/** The types of operational webhooks. Endpoints of the operator's workspace subscribe to them by name or by `keepsend.*`. */
export type OperationalType =
  | 'keepsend.endpoint.circuit_opened'
  | 'keepsend.endpoint.recovered'
  | 'keepsend.endpoint.failing'
  | 'keepsend.endpoint.disabled'
  | 'keepsend.delivery.failed'

/** Makes the statements that insert operational webhooks. Absent without `operatorWorkspaceId`. */
export interface Notifier {
  /** Notifies of a change of an endpoint, if `condition` holds for it and one of these claims is current. */
  endpoint(
    type: OperationalType,
    tally: Pick<Tally, 'endpointId'>,
    claims: readonly ClaimRef[],
    condition: SqlText,
    data: Record<string, unknown>,
  ): SqlText[]
  /** Notifies that a delivery has failed, if its claim is current, or the row is not claimed. */
  delivery(claim: ClaimRef | ExpiringEvent, data: { error: DeliveryError; httpStatus?: number }): SqlText[]
}

const MAX_ERROR = 300

/**
 * Each notification is a fan-out in the settle's transaction, before the change that it announces, and inserts rows only if
 * the change takes place: a lost settle notifies nobody. The failed delivery of a notification makes no other notification.
 */
export function createNotifier(published: PublishTarget, operatorWorkspaceId: string): Notifier {
  const { db } = published
  // Due immediately on every adapter: a settle dispatches nothing to a queue, and a cron finds due rows. Without a limit of
  // deliveries: a settle must not fail because of its notifications.
  const target = { ...published, rowsStart: 'now', deliveriesPerPublish: undefined } as const
  const notify = (type: OperationalType, data: Record<string, unknown>, only: SqlText): SqlText[] =>
    statementsOf(fanOutStatements(target, prepareOwnEvent({ type, workspaceId: operatorWorkspaceId, data }), { only }))

  return {
    endpoint(type, { endpointId }, claims, condition, data) {
      const notified = claims.filter((claim) => !isOwn(claim))
      if (notified.length === 0) return []
      const [first] = notified
      const workspaceId = first && 'workspaceId' in first ? { workspaceId: first.workspaceId } : {}
      const subject = sqlText`exists (select 1 from keepsend_endpoints where ${condition}) and ${anyClaimIsCurrent(db, notified)}`
      return notify(type, { endpointId, ...workspaceId, ...data }, subject)
    },

    delivery(claim, { error, httpStatus }) {
      if (!('type' in claim) || isOwn(claim)) return []
      const { id: deliveryId, endpointId, workspaceId, type: eventType } = claim
      const errorClass = classOf(error)
      const data = { deliveryId, endpointId, workspaceId, eventType, error: error.slice(0, MAX_ERROR), errorClass }
      const status = httpStatus === undefined ? {} : { httpStatus }
      return notify('keepsend.delivery.failed', { ...data, ...status }, anyClaimIsCurrent(db, [claim]))
    },
  }
}

function isOwn(claim: ClaimRef | ExpiringEvent): boolean {
  return 'type' in claim && claim.type.startsWith(OWN_TYPES)
}
