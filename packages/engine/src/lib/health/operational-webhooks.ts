import type { ClaimRef, ExpiringEvent } from '@keepsend/outbox'
import { type SqlText, sqlText } from '@keepsend/outbox/internal'
import { type Tally, anyClaimStands } from './circuit-breaker.ts'
import { type DeliveryError, classOf } from '../error-classes.ts'
import { OWN_TYPES, prepareOwnEvent } from '../publish/event.ts'
import { type PublishTarget, fanOutStatements } from '../publish/fan-out.ts'
import { statementsOf } from '../publish/publish.ts'

/** What Keepsend itself reports, to the endpoints of the operator's workspace that subscribe to it by name. */
export type OperationalType =
  | 'keepsend.endpoint.circuit_opened'
  | 'keepsend.endpoint.recovered'
  | 'keepsend.endpoint.failing'
  | 'keepsend.endpoint.disabled'
  | 'keepsend.delivery.failed'

/** Makes the statements that report; undefined where no operator's workspace was named. */
export interface Notifier {
  /** Reports a change of an endpoint, if it is about to come true and one of these claims stands. */
  endpoint(
    type: OperationalType,
    tally: Pick<Tally, 'endpointId'>,
    claims: readonly ClaimRef[],
    comesTrue: SqlText,
    data: Record<string, unknown>,
  ): SqlText[]
  /** Reports the end of a delivery, if the claim stands, or the row that nobody has claimed. */
  delivery(claim: ClaimRef | ExpiringEvent, data: { error: DeliveryError; httpStatus?: number }): SqlText[]
}

const MAX_ERROR = 300

/**
 * Each report is a fan-out that stands in the settle's own unit, before the change that it tells of, and makes a row only
 * if that change takes place: a lost settle reports nothing. A failed report raises no other.
 */
export function createNotifier(published: PublishTarget, operatorWorkspaceId: string): Notifier {
  const { db } = published
  // Due now on every adapter: whoever settles tells no queue, and a cron finds what is due. Without a limit: a settle must
  // not fail for what it reports.
  const target = { ...published, rowsStart: 'now', deliveriesPerPublish: undefined } as const
  const report = (type: OperationalType, data: Record<string, unknown>, only: SqlText): SqlText[] =>
    statementsOf(fanOutStatements(target, prepareOwnEvent({ type, workspaceId: operatorWorkspaceId, data }), { only }))

  return {
    endpoint(type, { endpointId }, claims, comesTrue, data) {
      const told = claims.filter((claim) => !isOwn(claim))
      if (told.length === 0) return []
      const [first] = told
      const workspaceId = first && 'workspaceId' in first ? { workspaceId: first.workspaceId } : {}
      const subject = sqlText`exists (select 1 from keepsend_endpoints where ${comesTrue}) and ${anyClaimStands(db, told)}`
      return report(type, { endpointId, ...workspaceId, ...data }, subject)
    },

    delivery(claim, { error, httpStatus }) {
      if (!('type' in claim) || isOwn(claim)) return []
      const { id: deliveryId, endpointId, workspaceId, type: eventType } = claim
      const errorClass = classOf(error)
      const data = { deliveryId, endpointId, workspaceId, eventType, error: error.slice(0, MAX_ERROR), errorClass }
      const status = httpStatus === undefined ? {} : { httpStatus }
      return report('keepsend.delivery.failed', { ...data, ...status }, anyClaimStands(db, [claim]))
    },
  }
}

function isOwn(claim: ClaimRef | ExpiringEvent): boolean {
  return 'type' in claim && claim.type.startsWith(OWN_TYPES)
}
