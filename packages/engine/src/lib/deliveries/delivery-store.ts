import type { DeliveryState } from './delivery.ts'
import { type OutboxDatabase, OutboxError, Transaction } from '@keepsend/outbox'
import {
  type OptionNames,
  type Row,
  type SqlText,
  pendingEvents,
  replayStatement,
  sqlText,
} from '@keepsend/outbox/internal'
import { MAX_REPLAYED, STATE, selectReplayed, toDelivery, toState } from './delivery-columns.ts'
import { readDeliveriesOf } from './event-deliveries.ts'
import { insertAgain, whyNotRetained } from './insert-again.ts'
import { type DeliveryListDeps, type DeliveryLists, createDeliveryLists } from './delivery-list.ts'
import { type DeliveryWithAttempts, type FoundDelivery, findDelivery, findWithAttempts } from './find-delivery.ts'
import { EngineError, checkNames } from '../errors.ts'
import { BACKGROUND_OPTIONS, type BackgroundOption } from '../publish/dispatch.ts'
import { HOLD_REASONS } from '../backlog/hold-reason.ts'
import type { HoldReason } from '../outcome.ts'
import { lockEndpoints } from '../backlog/locks.ts'
import type { IdempotentOption } from '../idempotency/idempotent-change.ts'
import { resumeWithin } from '../backlog/resume-due.ts'
import { type WorkspaceScope, checkWorkspaceId, readScope } from '../workspace-id.ts'

/** Reads and replays retained deliveries. Each method is scoped to one workspace; some reads may be to all. */
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
  replay(workspaceId: string, id: string): Promise<DeliveryState>
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

export const REPLAY_ENDPOINT_OPTIONS = { limit: 'number', ...BACKGROUND_OPTIONS } satisfies OptionNames<
  Parameters<DeliveryStore['replayEndpoint']>[2]
>

export interface ReplayEndpointOptions extends BackgroundOption {
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
  replay(workspaceId: string, id: string, options?: IdempotentOption): Promise<DeliveryState>
  replayEndpoint(
    workspaceId: string,
    filter: ReplayEndpointFilter,
    options?: ReplayEndpointOptions & IdempotentOption,
  ): Promise<{ count: number; more: boolean }>
}

/** @param resumeFirst resumes the first held rows of an endpoint, and dispatches them in the background */
export function createDeliveryStore(
  db: OutboxDatabase,
  deps: DeliveryListDeps,
  resumeFirst: (endpointId: string, background: BackgroundOption['background']) => Promise<void>,
): IdempotentDeliveryStore {
  async function requireEndpoint(workspaceId: string, endpointId: string): Promise<void> {
    checkWorkspaceId(workspaceId)
    const { rows } = await db.run(
      sqlText`select 1 from keepsend_endpoints where id = ${endpointId} and workspace_id = ${workspaceId}`,
    )
    if (!rows[0]) throw new EngineError('not_found', 'no such endpoint')
  }

  async function find(workspaceId: string, id: string, columns: SqlText): Promise<Row | undefined> {
    checkWorkspaceId(workspaceId)
    const { rows } = await db.run(
      sqlText`select ${columns} from pending_events where id = ${id} and workspace_id = ${workspaceId}`,
    )
    return rows[0]
  }

  async function read(workspaceId: string, id: string, columns: SqlText): Promise<Row> {
    const row = await find(workspaceId, id, columns)
    if (!row) throw new EngineError('not_retained', 'this delivery does not exist, or is no longer stored')
    return row
  }

  const stateOf = async (workspaceId: string, id: string): Promise<DeliveryState | undefined> => {
    const row = await find(workspaceId, id, STATE)
    return row && toState(row)
  }

  return {
    ...createDeliveryLists(db, deps),

    async get(scope, id) {
      return findDelivery(db, { id, workspaceId: readScope(scope) }, deps.history)
    },

    async getWithAttempts(scope, id) {
      return findWithAttempts(db, { id, workspaceId: readScope(scope) }, deps.history)
    },

    async replay(workspaceId, id, { once } = {}) {
      const stored = await stateOf(workspaceId, id)
      const { history } = deps
      const key = { workspaceId, id }
      const replaying = stored
        ? replayStatement(db, { ids: [id], workspaceId })
        : history?.events && insertAgain(db, history, key)
      if (!replaying) throw await whyNotRetained(db, history, key)
      const transaction = new Transaction()
      once?.begin(transaction)
      const replayed = transaction.add(replaying)
      once?.end(transaction, selectReplayed(db, { ...key, gen: stored && stored.gen + 1 }))
      const refused = await transaction.commit(db).then(
        () => replayed.rows.length === 0,
        (error: unknown) => {
          // If the delivery was not replayed there is no row to store as the answer, which fails the transaction; if another
          // replay has inserted its row, the insert fails.
          if ((once || !stored) && !(error instanceof OutboxError)) return error
          throw error
        },
      )
      const row = await stateOf(workspaceId, id)
      if (!row) throw await whyNotRetained(db, history, key)
      if (refused === false) return row
      if (refused !== true && row.completedAt !== null) throw refused
      throw new EngineError('conflict', `the delivery is ${row.status}: only a settled one can be replayed`)
    },

    async replayEndpoint(workspaceId, filter, { once, ...options } = {}) {
      // A misspelt filter would replay too many deliveries.
      checkNames('the filter of deliveries.replayEndpoint', REPLAY_ENDPOINT_FILTER, filter)
      checkNames('deliveries.replayEndpoint', REPLAY_ENDPOINT_OPTIONS, options)
      const { endpointId, settledAfter, settledBefore } = filter
      const { limit = MAX_REPLAYED, background } = options
      await requireEndpoint(workspaceId, endpointId)
      const failed = { endpointId, workspaceId, settledAfter, settledBefore }
      const holdFor: HoldReason = 'replay'
      /** Replays in one transaction and returns the number of rows. */
      const replay = async (most: number): Promise<number> => {
        const transaction = new Transaction()
        once?.begin(transaction)
        transaction.addAll(lockEndpoints(db, [endpointId]))
        const replaying = replayStatement(db, failed, { limit: most, holdFor })
        const replayed = once ? { rows: [] } : transaction.add(replaying)
        once?.endCounted(transaction, replaying)
        transaction.add(resumeWithin(db, endpointId, HOLD_REASONS[holdFor].resumeWithinMs))
        await transaction.commit(db)
        await resumeFirst(endpointId, background)
        return replayed.rows.length
      }
      // A request under an idempotency key is one transaction: its stored answer commits with it.
      const count = once ? await replay(limit) : await inBatches(limit, replay)
      return { count, more: count === limit }
    },

    async listByEvent(workspaceId, eventId) {
      checkWorkspaceId(workspaceId)
      const { deliveries, complete } = await readDeliveriesOf(db, workspaceId, eventId)
      const [first] = deliveries
      if (!first) throw new EngineError('not_retained', 'no delivery of this event exists, or is still stored')
      // Read once: all deliveries of an event send the same payload.
      const { payload, contentType } = toDelivery(await read(workspaceId, first.id, pendingEvents.all))
      return { payload, contentType, deliveries, complete }
    },
  }
}

// Rows of one transaction: about 20 ms on SQLite, in which no other writer gets in.
const REPLAY_BATCH = 250

/**
 * Works in batches, and pauses after each for as long as it took: another process that waits for SQLite's write lock only
 * polls for it, and would rarely find it free otherwise.
 */
async function inBatches(limit: number, work: (most: number) => Promise<number>): Promise<number> {
  for (let count = 0; ;) {
    const most = Math.min(REPLAY_BATCH, limit - count)
    const beganAt = Date.now()
    const done = await work(most)
    count += done
    if (done < most || count === limit) return count
    await new Promise((resolve) => {
      setTimeout(resolve, Date.now() - beganAt)
    })
  }
}
