import type { Delivery, DeliveryState } from './delivery.ts'
import { type OutboxDatabase, OutboxError, Transaction } from '@keepsend/outbox'
import {
  type OptionNames,
  type Row,
  type SqlText,
  eventRange,
  isEventId,
  limitTo,
  pendingEvents,
  replayStatement,
  sqlText,
} from '@keepsend/outbox/internal'
import { MAX_REPLAYED, STATE, selectReplayed, toDelivery, toState } from './delivery-columns.ts'
import { type DeliveryLists, createDeliveryLists } from './delivery-list.ts'
import { EngineError, checkNames } from '../errors.ts'
import type { EventQueue } from '../publish/event-queue.ts'
import { BACKGROUND_OPTIONS, type BackgroundOption } from '../publish/dispatch.ts'
import { HOLD_REASONS } from '../backlog/hold-reason.ts'
import type { HoldReason } from '../outcome.ts'
import { lockEndpoints } from '../backlog/locks.ts'
import type { IdempotentOption } from '../idempotency/idempotent-change.ts'
import { resumeWithin } from '../backlog/resume-due.ts'
import { checkWorkspaceId } from '../workspace-id.ts'

/** Retained rows as the API shows them. Each method is scoped to one workspace. */
export interface DeliveryStore extends DeliveryLists {
  /** @throws {EngineError} `not_retained`: delivered and deleted, pruned, or never there */
  get(workspaceId: string, id: string): Promise<Delivery>
  /** Sends a settled delivery again. @throws {EngineError} `not_retained`, or `conflict` while it is not settled */
  replay(workspaceId: string, id: string): Promise<DeliveryState>
  /**
   * Sends again what was settled of one endpoint, oldest settlement first, at most `limit` (1–10,000, default 1,000): repeat
   * while `more`. They are let out bit by bit, so that no replay stands before new events.
   *
   * @throws {EngineError} `not_found`: no such endpoint
   */
  replayEndpoint(
    workspaceId: string,
    filter: ReplayEndpointFilter,
    options?: ReplayEndpointOptions,
  ): Promise<{ count: number; more: boolean }>
  /** @throws {EngineError} `not_retained`: no delivery of such an event */
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
  /** @default failed */
  status?: 'failed' | 'completed' | undefined
  /** Settled at or after this time, ms since the epoch. */
  settledAfter?: number | undefined
  /** Settled before this time, ms since the epoch. */
  settledBefore?: number | undefined
}

export const REPLAY_ENDPOINT_FILTER = {
  endpointId: 'text',
  status: 'text',
  settledAfter: 'number',
  settledBefore: 'number',
} satisfies OptionNames<ReplayEndpointFilter>

/** What is retained of one event. */
export interface EventDeliveries {
  /** What every one of them sends. */
  payload: string
  /** Of a raw body; null: the payload is JSON, our envelope. */
  contentType: string | null
  /** The first 1,000, in the order of their endpoints; `list` with the `eventId` has all. */
  deliveries: DeliveryState[]
  /** False: there are more. */
  complete: boolean
}

/** The reads as the routes have them: a replay that is given {@link Once} is made once. */
export interface IdempotentDeliveryStore extends DeliveryStore {
  replay(workspaceId: string, id: string, options?: IdempotentOption): Promise<DeliveryState>
  replayEndpoint(
    workspaceId: string,
    filter: ReplayEndpointFilter,
    options?: ReplayEndpointOptions & IdempotentOption,
  ): Promise<{ count: number; more: boolean }>
}

/** @param wake resumes the first of what is held for an endpoint. */
export function createDeliveryStore(
  db: OutboxDatabase,
  rowsStart: EventQueue['rowsStart'],
  wake: (endpointId: string, background: BackgroundOption['background']) => Promise<void>,
): IdempotentDeliveryStore {
  async function exists(workspaceId: string, endpointId: string): Promise<void> {
    checkWorkspaceId(workspaceId)
    const { rows } = await db.run(
      sqlText`select 1 from keepsend_endpoints where id = ${endpointId} and workspace_id = ${workspaceId}`,
    )
    if (!rows[0]) throw new EngineError('not_found', 'no such endpoint')
  }

  async function read(workspaceId: string, id: string, columns: SqlText): Promise<Row> {
    checkWorkspaceId(workspaceId)
    const { rows } = await db.run(
      sqlText`select ${columns} from pending_events where id = ${id} and workspace_id = ${workspaceId}`,
    )
    if (!rows[0]) throw new EngineError('not_retained', 'no such delivery is retained')
    return rows[0]
  }

  const stateOf = async (workspaceId: string, id: string): Promise<DeliveryState> =>
    toState(await read(workspaceId, id, STATE))

  return {
    ...createDeliveryLists(db, rowsStart),

    get: async (workspaceId, id) => toDelivery(await read(workspaceId, id, pendingEvents.all)),

    async replay(workspaceId, id, { once } = {}) {
      const { gen } = await stateOf(workspaceId, id)
      const transaction = new Transaction()
      once?.begin(transaction)
      const replayed = transaction.add(replayStatement(db, { ids: [id], workspaceId }))
      once?.end(transaction, selectReplayed(db, { id, workspaceId, gen: gen + 1 }))
      const refused = await transaction.commit(db).then(
        () => replayed.rows.length === 0,
        (error: unknown) => {
          // Of a delivery that was not replayed there is no answer.
          if (once && !(error instanceof OutboxError)) return error
          throw error
        },
      )
      const row = await stateOf(workspaceId, id)
      if (refused === false) return row
      if (refused !== true && row.completedAt !== null) throw refused
      throw new EngineError('conflict', `the delivery is ${row.status}: only a settled one can be replayed`)
    },

    async replayEndpoint(workspaceId, filter, { once, ...options } = {}) {
      // A filter that is misspelt would send too much again.
      checkNames('the filter of deliveries.replayEndpoint', REPLAY_ENDPOINT_FILTER, filter)
      checkNames('deliveries.replayEndpoint', REPLAY_ENDPOINT_OPTIONS, options)
      const { endpointId, status = 'failed', settledAfter, settledBefore } = filter
      const { limit = MAX_REPLAYED, background } = options
      await exists(workspaceId, endpointId)
      const wanted = { endpointId, workspaceId, status, settledAfter, settledBefore }
      const holdFor: HoldReason = 'replay'
      /** One transaction; says how many rows it replayed. */
      const replay = async (most: number): Promise<number> => {
        const transaction = new Transaction()
        once?.begin(transaction)
        transaction.addAll(lockEndpoints(db, [endpointId]))
        const replaying = replayStatement(db, wanted, { limit: most, holdFor })
        const replayed = once ? { rows: [] } : transaction.add(replaying)
        once?.endCounted(transaction, replaying)
        transaction.add(resumeWithin(db, endpointId, HOLD_REASONS[holdFor].resumeWithinMs))
        await transaction.commit(db)
        await wake(endpointId, background)
        return replayed.rows.length
      }
      // A request under a key is one transaction, and small.
      const count = once ? await replay(limit) : await inBatches(limit, replay)
      return { count, more: count === limit }
    },

    async listByEvent(workspaceId, eventId) {
      checkWorkspaceId(workspaceId)
      const { rows } = isEventId(eventId)
        ? await db.run(sqlText`
            select ${STATE} from pending_events where workspace_id = ${workspaceId} and ${eventRange(eventId)}
            order by id ${limitTo(MAX_OF_EVENT + 1)}`)
        : { rows: [] }
      const deliveries = rows.slice(0, MAX_OF_EVENT).map(toState)
      const [first] = deliveries
      if (!first) throw new EngineError('not_retained', 'nothing of such an event is retained')
      // Not with each of them: they all send the same.
      const { payload, contentType } = toDelivery(await read(workspaceId, first.id, pendingEvents.all))
      return { payload, contentType, deliveries, complete: rows.length <= MAX_OF_EVENT }
    },
  }
}

const MAX_OF_EVENT = 1000

// So many rows a transaction: some 20 ms on SQLite, where nobody else writes meanwhile.
const REPLAY_BATCH = 250

/**
 * Work in batches, with as long a pause after each as it took: another process that waits for SQLite's write lock looks
 * again from time to time, and would hardly ever meet it free.
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
