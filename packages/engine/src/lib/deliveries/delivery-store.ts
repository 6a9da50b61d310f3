import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import type { DeliveryState } from './delivery.ts'
import { Transaction } from '@keepsend/outbox'
import { type OptionNames, replayStatement, sqlText } from '@keepsend/outbox/internal'
import { MAX_REPLAYED } from './delivery-columns.ts'
import { readDeliveriesOf } from './event-deliveries.ts'
import { createReplay } from './replay-delivery.ts'
import { type MoveDeliveryDeps, type RetryNowOptions, createMoveDelivery } from './move-delivery.ts'
import { type DeliveryLists, createDeliveryLists } from './delivery-list.ts'
import type { ListDeps } from './list-deliveries.ts'
import { type DeliveryWithAttempts, type FoundDelivery, findDelivery, findWithAttempts } from './find-delivery.ts'
import { type ActingOption, ActionTransaction, BY_OPTION, type ByOption, targetIn } from '../audit/action.ts'
import { EngineError, checkNames } from '../errors.ts'
import { BACKGROUND_OPTIONS, type BackgroundOption } from '../publish/dispatch.ts'
import { HOLD_REASONS } from '../backlog/hold-reason.ts'
import type { HoldReason } from '../outcome.ts'
import { lockEndpoints } from '../backlog/locks.ts'
import { resumeWithin } from '../backlog/resume-due.ts'
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
   * Sends a settled delivery again. With `history.events` also a delivered one whose row is gone: it is inserted again from its
   * last attempt and its event.
   *
   * @throws {EngineError} `not_retained`: it or its payload is no longer stored; `conflict`: it is not settled
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
  /**
   * Sends failed deliveries of one endpoint again, in the order in which they failed, at most `limit` (1–10,000, default
   * 1,000). Repeat the call while `more`. They are held and resumed in batches, so that a replay does not delay new events.
   *
   * @throws {EngineError} `not_found`: no such endpoint
   */
  replayEndpoint(
    workspaceId: string,
    filter: ReplayEndpointFilter,
    options?: ReplayEndpointOptions,
  ): Promise<{ count: number; more: boolean }>
  /** Reads an event's payload and deliveries. @throws {EngineError} `not_retained`: none of its deliveries is stored */
  listByEvent(workspaceId: string, eventId: string): Promise<EventDeliveries>
}

export const REPLAY_ENDPOINT_OPTIONS = {
  limit: 'number',
  ...BACKGROUND_OPTIONS,
  ...BY_OPTION,
} satisfies OptionNames<Parameters<DeliveryStore['replayEndpoint']>[2]>

export interface ReplayEndpointOptions extends BackgroundOption, ByOption {
  /** @default 1000 */
  limit?: number | undefined
}

export interface ReplayEndpointFilter {
  endpointId: string
  /** Settled at or after this time, ms since the epoch. */
  settledAfter?: number | undefined
  /** Settled before this time, ms since the epoch. */
  settledBefore?: number | undefined
}

export const REPLAY_ENDPOINT_FILTER = {
  endpointId: 'text',
  settledAfter: 'number',
  settledBefore: 'number',
} satisfies OptionNames<ReplayEndpointFilter>

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

/** The store with the options of the routes: a replay under an idempotency key is made once. */
export interface IdempotentDeliveryStore extends DeliveryStore {
  retryNow(workspaceId: string, id: string, options?: RetryNowOptions & ActingOption): Promise<DeliveryState>
  giveUp(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<DeliveryState>
  replay(workspaceId: string, id: string, options?: ByOption & ActingOption): Promise<DeliveryState>
  replayEndpoint(
    workspaceId: string,
    filter: ReplayEndpointFilter,
    options?: ReplayEndpointOptions & ActingOption,
  ): Promise<{ count: number; more: boolean }>
}

interface DeliveryStoreDeps extends ListDeps, MoveDeliveryDeps {
  versions: Pick<CatalogVersions, 'oldest'> | undefined
  /** Resumes the first held rows of an endpoint, and dispatches them in the background. */
  resumeFirst: (endpointId: string, background: BackgroundOption['background']) => Promise<void>
}

export function createDeliveryStore(deps: DeliveryStoreDeps): IdempotentDeliveryStore {
  const { db, logger, history, resumeFirst } = deps
  async function requireEndpoint(workspaceId: string, endpointId: string): Promise<void> {
    checkWorkspaceId(workspaceId)
    const { rows } = await db.run(
      sqlText`select 1 from keepsend_endpoints where id = ${endpointId} and workspace_id = ${workspaceId}`,
    )
    if (!rows[0]) throw new EngineError('not_found', 'no such endpoint')
  }

  return {
    ...createDeliveryLists(db, deps),

    async get(scope, id) {
      return findDelivery(db, { id, workspaceId: readScope(scope) }, history)
    },

    async getWithAttempts(scope, id) {
      return findWithAttempts(db, { id, workspaceId: readScope(scope) }, history)
    },

    replay: createReplay(deps, history),
    ...createMoveDelivery(deps),

    async replayEndpoint(workspaceId, filter, { acting, ...options } = {}) {
      // A misspelt filter would replay too many deliveries.
      checkNames('the filter of deliveries.replayEndpoint', REPLAY_ENDPOINT_FILTER, filter)
      checkNames('deliveries.replayEndpoint', REPLAY_ENDPOINT_OPTIONS, options)
      const { endpointId, settledAfter, settledBefore } = filter
      const { limit = MAX_REPLAYED, background } = options
      await requireEndpoint(workspaceId, endpointId)
      const failed = { endpointId, workspaceId, settledAfter, settledBefore }
      const holdFor: HoldReason = 'replay'
      const action = { verb: 'endpoint.replay', workspaceId, endpointId } as const
      const isThis = sqlText`id = ${endpointId} and workspace_id = ${workspaceId}`
      const first = new ActionTransaction({ db, logger }, action, { ...options, acting })
      first.record(targetIn(db, 'keepsend_endpoints', isThis))
      /** Replays in one transaction, the first time in that of the action, and returns the number of rows. */
      const replay = async (most: number, transaction: Transaction): Promise<number> => {
        transaction.addAll(lockEndpoints(db, [endpointId]))
        const replaying = replayStatement(db, failed, { limit: most, holdFor })
        const replayed = acting?.once ? { rows: [] } : transaction.add(replaying)
        acting?.once?.endCounted(transaction, replaying)
        transaction.add(resumeWithin(db, endpointId, HOLD_REASONS[holdFor].resumeWithinMs))
        await transaction.commit(db)
        await resumeFirst(endpointId, background)
        return replayed.rows.length
      }
      // A request under an idempotency key is one transaction: its stored answer commits with it.
      const count = acting?.once ? await replay(limit, first) : await inBatches(limit, replay, first)
      return { count, more: count === limit }
    },

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

// Rows of one transaction: about 20 ms on SQLite, in which no other writer gets in.
const REPLAY_BATCH = 250

/**
 * Works in batches, and pauses after each for as long as it took: another process that waits for SQLite's write lock only
 * polls for it, and would rarely find it free otherwise.
 */
async function inBatches(
  limit: number,
  work: (most: number, transaction: Transaction) => Promise<number>,
  first: Transaction,
): Promise<number> {
  let transaction = first
  for (let count = 0; ; transaction = new Transaction()) {
    const most = Math.min(REPLAY_BATCH, limit - count)
    const beganAt = Date.now()
    const done = await work(most, transaction)
    count += done
    if (done < most || count === limit) return count
    await new Promise((resolve) => {
      setTimeout(resolve, Date.now() - beganAt)
    })
  }
}
