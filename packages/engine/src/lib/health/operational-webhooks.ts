import type { ClaimRef, ExpiringEvent } from '@keepsend/outbox'
import { type SqlText, sqlText } from '@keepsend/outbox/internal'
import { anyClaimIsCurrent } from './circuit-breaker.ts'
import { type DeliveryError, classOf } from '../error-classes.ts'
import type { Occurrence } from './occurrence.ts'
import { OWN_TYPES, prepareOwnEvent } from '../publish/event.ts'
import { type PublishTarget, fanOutStatements } from '../publish/fan-out.ts'
import { statementsOf } from '../publish/publish.ts'
import { createWorkspaceNotifier } from './workspace-notifications.ts'

/** Makes the statements that insert operational webhooks. Absent if neither the operator nor a workspace gets any. */
export interface Notifier {
  /** Notifies of a change of an endpoint, if the condition holds for it and one of the claims is current. */
  endpoint(change: NotifiedChange): SqlText[]
  /** Notifies of each of these deliveries that it has failed, if its claim is current, or the row is not claimed. */
  deliveries(failed: readonly FailedDelivery[]): SqlText[]
  /** Sends some of the notifications that workspaces have collected. Returns whether there may be more. */
  sendCollected(): Promise<boolean>
}

interface NotifiedChange extends Pick<Occurrence, 'type' | 'endpointId' | 'condition'> {
  claims: readonly ClaimRef[]
  /** Added to the data of the notification. */
  details?: Record<string, unknown>
}

export interface FailedDelivery {
  claim: ClaimRef | ExpiringEvent
  error: DeliveryError
  httpStatus?: number
}

const MAX_ERROR = 300

/**
 * Each notification is a fan-out in the settle's transaction, before the change that it announces, and inserts rows only if
 * the change takes place: a lost settle notifies nobody. The failed delivery of a notification makes no other notification.
 */
export function createNotifier(
  published: PublishTarget,
  {
    operatorWorkspaceId,
    workspaceNotifications,
  }: { operatorWorkspaceId?: string | undefined; workspaceNotifications: boolean },
): Notifier | undefined {
  if (operatorWorkspaceId === undefined && !workspaceNotifications) return undefined
  const { db } = published
  // Due immediately on every adapter: a settle dispatches nothing to a queue, and a cron finds due rows. Without a limit of
  // deliveries: a settle must not fail because of its notifications.
  const target = { ...published, rowsStart: 'now', deliveriesPerPublish: undefined } as const
  const workspaces = workspaceNotifications
    ? createWorkspaceNotifier(
        { ...target, rowsStart: published.rowsStart === 'dispatched' ? 'swept' : 'now' },
        operatorWorkspaceId,
      )
    : undefined
  const toOperator = ({ type, condition, data }: Occurrence): SqlText[] =>
    operatorWorkspaceId === undefined
      ? []
      : statementsOf(
          fanOutStatements(target, prepareOwnEvent({ type, workspaceId: operatorWorkspaceId, data }), {
            only: condition,
          }),
        )

  return {
    endpoint({ type, endpointId, claims, condition, details }) {
      const notified = claims.filter((claim) => !isOwn(claim))
      if (notified.length === 0) return []
      const [first] = notified
      const workspaceId = first && 'workspaceId' in first ? String(first.workspaceId) : undefined
      const occurrence = {
        type,
        endpointId,
        workspaceId,
        condition: sqlText`exists (select 1 from keepsend_endpoints where ${condition}) and ${anyClaimIsCurrent(db, notified)}`,
        data: { endpointId, ...(workspaceId !== undefined && { workspaceId }), ...details },
      }
      return [...toOperator(occurrence), ...(workspaces?.endpoint(occurrence) ?? [])]
    },

    deliveries(failed) {
      const occurrences = failed.flatMap(({ claim, error, httpStatus }) => {
        if (!('type' in claim) || isOwn(claim)) return []
        const { id: deliveryId, endpointId, workspaceId, type: eventType } = claim
        const errorClass = classOf(error)
        const data = { deliveryId, endpointId, workspaceId, eventType, error: error.slice(0, MAX_ERROR), errorClass }
        const status = httpStatus === undefined ? {} : { httpStatus }
        const condition = anyClaimIsCurrent(db, [claim])
        const type = 'keepsend.delivery.failed' as const
        return [{ type, endpointId, workspaceId, claim, condition, data: { ...data, ...status } }]
      })
      return [...occurrences.flatMap(toOperator), ...(workspaces?.deliveries(occurrences) ?? [])]
    },

    sendCollected: async () => (await workspaces?.sendCollected()) ?? false,
  }
}

function isOwn(claim: ClaimRef | ExpiringEvent): boolean {
  return 'type' in claim && claim.type.startsWith(OWN_TYPES)
}
