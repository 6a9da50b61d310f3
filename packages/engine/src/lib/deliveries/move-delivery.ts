import { type ExpiringEvent, type OutboxDatabase, OutboxError, type SqlResult } from '@keepsend/outbox'
import {
  GIVEN_UP,
  type OptionNames,
  type Row,
  type SqlText,
  endpointIdOf,
  giveUpStatement,
  onlyRow,
  pendingEvents,
  retryNowStatement,
  sqlText,
} from '@keepsend/outbox/internal'
import {
  type Action,
  type ActionDeps,
  type ActingOption,
  ActionTransaction,
  BY_OPTION,
  type ByOption,
  targetIn,
} from '../audit/action.ts'
import { isPaused } from '../backlog/pause.ts'
import { probeNow } from '../backlog/probe.ts'
import type { DeliveryError } from '../error-classes.ts'
import { EngineError, checkNames } from '../errors.ts'
import { BACKGROUND_OPTIONS, type BackgroundOption } from '../publish/dispatch.ts'
import { checkWorkspaceId } from '../workspace-id.ts'
import { STATE, selectMoved, toState } from './delivery-columns.ts'
import type { DeliveryState } from './delivery.ts'

/** Options of retrying a delivery now. */
export interface RetryNowOptions extends BackgroundOption, ByOption {}

export const RETRY_NOW_OPTIONS = { ...BACKGROUND_OPTIONS, ...BY_OPTION } satisfies OptionNames<RetryNowOptions>

/** Moves single deliveries that are not settled. */
export interface MoveDelivery {
  retryNow(workspaceId: string, id: string, options?: RetryNowOptions & ActingOption): Promise<DeliveryState>
  giveUp(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<DeliveryState>
}

export interface MoveDeliveryDeps extends ActionDeps {
  /** For a push queue: how long after its message a row becomes due. */
  graceMs: number | undefined
  /** Dispatches a row that is due now. */
  dispatchNow: (row: DeliveryState, background: BackgroundOption['background']) => void
  /** The notifications that a delivery has failed, made while it is not settled. */
  notifyFailed: (row: ExpiringEvent, error: DeliveryError) => SqlText[]
}

/** A delivery that is not settled, and what its endpoint takes now. */
interface Unsettled extends DeliveryState {
  endpointStatus: 'enabled' | 'disabled' | null
  isPaused: 0 | 1
}

interface Change {
  /** Throws if the delivery cannot be moved now. */
  check?: (row: Unsettled) => void
  /** Adds the statements of the change. @returns the result of the statement that moves the row */
  change: (transaction: ActionTransaction, row: Unsettled) => SqlResult
}

// A worker moves a row a few times a second at most, and each try is two round trips.
const MAX_TRIES = 10

export function createMoveDelivery(deps: MoveDeliveryDeps): MoveDelivery {
  const { db, graceMs, dispatchNow, notifyFailed } = deps

  /** Moves a delivery from the `gen` that was read. If a worker has moved it meanwhile, reads it again. */
  async function move(
    { workspaceId, deliveryId: id, ...action }: Action & { deliveryId: string },
    { by, acting }: ByOption & ActingOption,
    { check, change }: Change,
  ): Promise<DeliveryState> {
    checkWorkspaceId(workspaceId)
    let failure: { gen: number; error: unknown } | undefined
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const row = await read(db, { workspaceId, id })
      if (row.completedAt !== null)
        throw new EngineError('conflict', `the delivery is ${row.status}: it can be replayed, and nothing else`)
      check?.(row)
      if (failure?.gen === row.gen) throw failure.error
      const transaction = new ActionTransaction(
        deps,
        { ...action, workspaceId, endpointId: endpointIdOf(id), deliveryId: id },
        { by, acting },
      )
      const isThis = sqlText`id = ${id} and workspace_id = ${workspaceId}`
      const isCurrent = sqlText`${isThis} and gen = ${row.gen} and completed_at is null`
      transaction.record(targetIn(db, 'pending_events', isCurrent))
      // If the row has moved there is nothing to store, which fails the transaction of a request with a key. Afterwards the row
      // could also be in the next `gen` because another has moved it there.
      transaction.answer(sqlText`select id from pending_events where ${isCurrent}`)
      const moved = change(transaction, row)
      const inNextGen = sqlText`${isThis} and gen = ${row.gen + 1}`
      const after = transaction.add(sqlText`select ${STATE} from pending_events where ${inNextGen}`)
      transaction.answer(selectMoved(db, inNextGen))
      try {
        await transaction.commit(db)
        if (moved.rows.length > 0) return toState(onlyRow(after.rows))
      } catch (error) {
        if (!acting?.once || error instanceof OutboxError) throw error
        failure = { gen: row.gen, error }
      }
    }
    throw new EngineError('conflict', 'workers move this delivery all the time: try again')
  }

  return {
    async retryNow(workspaceId, deliveryId, { acting, ...options } = {}) {
      checkNames('deliveries.retryNow', RETRY_NOW_OPTIONS, options)
      const action = { verb: 'delivery.retry_now', workspaceId, deliveryId } as const
      const row = await move(
        action,
        { by: options.by, acting },
        {
          check: checkTakes,
          change(transaction, { id, gen, endpointId }) {
            const moved = transaction.add(retryNowStatement(db, { id, gen }, { afterMs: graceMs }))
            transaction.add(probeNow({ id, gen: gen + 1, endpointId }))
            return moved
          },
        },
      )
      dispatchNow(row, options.background)
      return row
    },

    async giveUp(workspaceId, deliveryId, { acting, ...options } = {}) {
      checkNames('deliveries.giveUp', BY_OPTION, options)
      const action = { verb: 'delivery.give_up', workspaceId, deliveryId } as const
      return move(
        action,
        { ...options, acting },
        {
          change(transaction, row) {
            transaction.addAll(notifyFailed(row, GIVEN_UP))
            return transaction.add(giveUpStatement(row))
          },
        },
      )
    },
  }
}

async function read(db: OutboxDatabase, { workspaceId, id }: { workspaceId: string; id: string }): Promise<Unsettled> {
  const { rows } = await db.run<Row & Pick<Unsettled, 'endpointStatus' | 'isPaused'>>(sqlText`
    select ${pendingEvents.except(['payload'], 'delivery')}, endpoint.status as "endpointStatus",
      case when ${isPaused('endpoint')} then 1 else 0 end as "isPaused"
    from pending_events as delivery left join keepsend_endpoints as endpoint
      on endpoint.id = delivery.endpoint_id and endpoint.workspace_id = delivery.workspace_id
    where delivery.id = ${id} and delivery.workspace_id = ${workspaceId}`)
  const [row] = rows
  if (!row) throw new EngineError('not_retained', 'this delivery does not exist, or is no longer stored')
  const { endpointStatus, isPaused: paused, ...columns } = row
  return { ...toState(columns), endpointStatus, isPaused: paused }
}

/** @throws {EngineError} `conflict`, naming the verb that makes the endpoint take deliveries again */
function checkTakes({ endpointStatus, isPaused: paused }: Unsettled): void {
  if (endpointStatus === null) throw refused('was deleted, so this delivery fails as endpoint_gone')
  if (endpointStatus !== 'enabled')
    throw refused(
      'is disabled: enable it (POST /endpoints/{id}/enable, in code endpoints.setStatus), which sends its held deliveries',
    )
  if (paused === 1)
    throw refused(
      'is paused: resume it (POST /endpoints/{id}/resume, in code endpoints.resume), which sends its held deliveries',
    )
}

function refused(why: string): EngineError {
  return new EngineError('conflict', `the endpoint of this delivery ${why}`)
}
