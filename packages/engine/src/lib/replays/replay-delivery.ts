import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, endpointIdOf, isNullRefused, onlyRow, sqlText } from '@keepsend/outbox/internal'
import { v7 } from 'uuid'
import { type ActionDeps, type ActingOption, ActionTransaction, BY_OPTION, type ByOption } from '../audit/action.ts'
import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import { STATE, selectMoved, toState } from '../deliveries/delivery-columns.ts'
import type { DeliveryState } from '../deliveries/delivery.ts'
import { findDelivery } from '../deliveries/find-delivery.ts'
import { EngineError, checkNames } from '../errors.ts'
import type { HistoryOptions } from '../history/history-options.ts'
import { checkWorkspaceId } from '../workspace-id.ts'
import { addSent } from './commit-step.ts'
import { insertReplay } from './insert-replay.ts'
import { insertsOf } from './replay-source.ts'

type ReplayDelivery = (workspaceId: string, id: string, options?: ByOption & ActingOption) => Promise<DeliveryState>

interface ReplayDeliveryDeps extends ActionDeps {
  history: HistoryOptions | undefined
  versions: Pick<CatalogVersions, 'oldest'> | undefined
}

/**
 * Sends one settled delivery again: a job of one id, which makes its only step in the transaction that creates it. The delivery is
 * due now, whatever its endpoint takes. If it is not sent, the job is refused as a whole.
 */
export function createReplayDelivery(deps: ReplayDeliveryDeps): ReplayDelivery {
  const { db, history, versions } = deps
  return async (workspaceId, deliveryId, { acting, ...options } = {}) => {
    checkNames('deliveries.replay', BY_OPTION, options)
    checkWorkspaceId(workspaceId)
    const endpointId = endpointIdOf(deliveryId)
    const id = `rep_${v7()}`
    const action = { verb: 'delivery.replay', workspaceId, endpointId, deliveryId, replayId: id } as const
    const transaction = new ActionTransaction(deps, action, { ...options, acting }).record()
    const ids = [deliveryId]
    const job = { id, workspaceId, endpointId, what: 'ids', selection: {}, ids, rate: null } as const
    const done = { sinceAt: 0, planned: 1, plannedMore: false, position: { open: [], walked: null }, isDone: true }
    transaction.add(insertReplay({ ...job, ...done }, { now: clock(), until: clock() }))
    const inserts = insertsOf(history, 'delivered')
    const sending = { ids, workspaceId, endpointId, oldest: versions?.oldest, inserts, holdFor: undefined }
    addSent(transaction, db, { id, atStep: 0 }, sending)
    // A null, which the column refuses.
    transaction.add(sqlText`
      update keepsend_replays set step = case when sent = 1 and exists (
        select 1 from keepsend_endpoints as endpoint
        where endpoint.id = ${endpointId} and endpoint.workspace_id = ${workspaceId}) then 1 end
      where id = ${id}`)
    const isThis = sqlText`id = ${deliveryId} and workspace_id = ${workspaceId}`
    const sent = transaction.add(sqlText`select ${STATE} from pending_events where ${isThis}`)
    transaction.answer(selectMoved(db, isThis))
    await transaction.commit(db).catch(async (error: unknown) => {
      throw isNullRefused(error, 'keepsend_replays', 'step')
        ? await whyNotSent(db, history, { workspaceId, deliveryId })
        : error
    })
    return toState(onlyRow(sent.rows))
  }
}

/** @throws {EngineError} `not_retained`: it is not stored */
async function whyNotSent(
  db: OutboxDatabase,
  history: HistoryOptions | undefined,
  { workspaceId, deliveryId: id }: { workspaceId: string; deliveryId: string },
): Promise<EngineError> {
  const { completedAt, status, payload } = await findDelivery(db, { id, workspaceId }, history)
  if (completedAt === null)
    return new EngineError('conflict', `the delivery is ${status}: only a settled one can be replayed`)
  const endpoint = await db.run(sqlText`
    select 1 from keepsend_endpoints where id = ${endpointIdOf(id)} and workspace_id = ${workspaceId}`)
  if (!endpoint.rows[0])
    return new EngineError('conflict', 'the endpoint of this delivery was deleted, so nothing can be sent to it')
  if (payload === null)
    return new EngineError(
      'not_retained',
      'the payload of this delivery is no longer stored, so it cannot be sent again',
    )
  return new EngineError('conflict', 'another request replays this delivery now: try again')
}
