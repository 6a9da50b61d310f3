import type { DeliveryState } from './delivery.ts'
import { readDeliveriesOf } from './event-deliveries.ts'
import { type MoveDeliveryDeps, type RetryNowOptions, createMoveDelivery } from './move-delivery.ts'
import { type DeliveryLists, createDeliveryLists } from './delivery-list.ts'
import type { ListDeps } from './list-deliveries.ts'
import { type DeliveryWithAttempts, type FoundDelivery, findDelivery, findWithAttempts } from './find-delivery.ts'
import type { ActingOption, ByOption } from '../audit/action.ts'
import { EngineError } from '../errors.ts'
import { type WorkspaceScope, checkWorkspaceId, readScope } from '../workspace-id.ts'

/** Reads and moves retained deliveries. Each method is scoped to one workspace; some reads may be to all. */
export interface DeliveryStore extends DeliveryLists {
  /**
   * Reads a delivery; with `history` also one that was delivered and deleted, without its payload.
   *
   * @throws {EngineError} `not_retained`: it was cleaned up or never existed, or was delivered and its attempt is not recorded
   */
  get(workspaceId: WorkspaceScope, id: string): Promise<FoundDelivery>
  /**
   * Reads a delivery with its latest attempts, in one round trip, without its payload.
   *
   * @throws {EngineError} `not_retained`, as {@link get}
   */
  getWithAttempts(workspaceId: WorkspaceScope, id: string): Promise<DeliveryWithAttempts>
  /**
   * Sends a settled delivery again, now: a replay of one id, which is completed with this call. With `history.events` also a
   * delivered one whose row is gone: it is inserted again from its last attempt and its event.
   *
   * @throws {EngineError} `not_retained`: it or its payload is no longer stored; `conflict`: it is not settled, or its endpoint
   *   was deleted
   */
  replay(workspaceId: string, id: string, options?: ByOption): Promise<DeliveryState>
  /**
   * Sends a delivery that is not settled now, whatever it waits for: in line in its lane, within the rate limit and the concurrency
   * of its endpoint. An attempt in flight does not count, and its outcome is ignored. While the circuit of the endpoint is open,
   * the delivery is its probe.
   *
   * @throws {EngineError} `not_retained`: there is no such delivery; `conflict`: it is settled, or its endpoint takes nothing
   */
  retryNow(workspaceId: string, id: string, options?: RetryNowOptions): Promise<DeliveryState>
  /**
   * Fails a delivery that is not settled as `given_up`. The outcome of an attempt in flight is ignored. It is retained, and can be
   * replayed, like any failed one.
   *
   * @throws {EngineError} `not_retained`: there is no such delivery; `conflict`: it is settled
   */
  giveUp(workspaceId: string, id: string, options?: ByOption): Promise<DeliveryState>
  /** Reads an event's payload and deliveries. @throws {EngineError} `not_retained`: none of its deliveries is stored */
  listByEvent(workspaceId: string, eventId: string): Promise<EventDeliveries>
}

/** The retained deliveries of one event. */
export interface EventDeliveries {
  /** The body that every one of them sends. */
  payload: string
  /** The content type of a raw body; null if the payload is Keepsend's JSON envelope. */
  contentType: string | null
  /** The first 1,000, in the order of their endpoint ids; `list` with the `eventId` has all. */
  deliveries: DeliveryState[]
  /** False if there are more. */
  complete: boolean
}

/** The store with the options of the routes: a change under an idempotency key is made once. */
export interface IdempotentDeliveryStore extends DeliveryStore {
  retryNow(workspaceId: string, id: string, options?: RetryNowOptions & ActingOption): Promise<DeliveryState>
  giveUp(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<DeliveryState>
  replay(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<DeliveryState>
}

export function createDeliveryStore(deps: ListDeps & MoveDeliveryDeps): Omit<IdempotentDeliveryStore, 'replay'> {
  const { db, history } = deps
  return {
    ...createDeliveryLists(db, deps),

    async get(scope, id) {
      return findDelivery(db, { id, workspaceId: readScope(scope) }, history)
    },

    async getWithAttempts(scope, id) {
      return findWithAttempts(db, { id, workspaceId: readScope(scope) }, history)
    },

    ...createMoveDelivery(deps),

    async listByEvent(workspaceId, eventId) {
      checkWorkspaceId(workspaceId)
      const { deliveries, complete } = await readDeliveriesOf(db, workspaceId, eventId)
      const [first] = deliveries
      if (!first) throw new EngineError('not_retained', 'no delivery of this event exists, or is still stored')
      // Read once: all deliveries of an event send the same payload.
      const { payload, contentType } = await findDelivery(db, { id: first.id, workspaceId }, undefined)
      return { payload: payload ?? '', contentType, deliveries, complete }
    },
  }
}
