import {
  BEHIND_EVERY_EVENT,
  type OutboxDatabase,
  OutboxError,
  type PendingEvent,
  type SqlText,
  Transaction,
  allOf,
  eventIdIn,
  eventIdOf,
  eventRange,
  isEventId,
  limitTo,
  pendingEvents,
  raw,
  replayStatement,
  sqlText,
} from '@keepsend/outbox'
import { MAX_REPLAYED, selectReplayed, toDelivery } from './delivery-columns.ts'
import { EngineError } from './errors.ts'
import { HOLD_REASONS, type HoldReason } from './hold-reason.ts'
import { lockEndpoints } from './locks.ts'
import type { OnceOption } from './once.ts'
import { checkOptions } from './option-names.ts'
import { resumeIfGone } from './resume.ts'
import { wakeWithin } from './wake.ts'
import { checkWorkspaceId } from './workspace-id.ts'

/** A row of `pending_events`, held for a reason of the engine's. */
export interface Delivery extends PendingEvent {
  holdReason: HoldReason | null
}

/** Retained rows as the API shows them. Each method is scoped to one workspace. */
export interface DeliveryReads {
  /** Newest event first; `before` is the id of the last delivery of the page before. */
  list(workspaceId: string, filter: DeliveryFilter): Promise<Delivery[]>
  /** @throws {EngineError} `not_retained`: delivered and deleted, pruned, or never there */
  get(workspaceId: string, id: string): Promise<Delivery>
  /** Sends a settled delivery again. @throws {EngineError} `not_retained`, or `conflict` while it is not settled */
  replay(workspaceId: string, id: string): Promise<Delivery>
  /**
   * Sends again what was settled of one endpoint, oldest settlement first, at most `limit` (1–10,000, default 1,000): repeat
   * while `more`. They are let out bit by bit, so that no replay stands before new events.
   *
   * @throws {EngineError} `not_found`: no such endpoint
   */
  replayOf(
    workspaceId: string,
    filter: ReplayOf,
    options?: { limit?: number | undefined },
  ): Promise<{ count: number; more: boolean }>
  listEvents(workspaceId: string, page: { limit: number; before?: string | undefined }): Promise<EventSummary[]>
  /** The retained deliveries of one event, in the order of their endpoints. */
  ofEvent(workspaceId: string, eventId: string): Promise<Delivery[]>
}

export interface ReplayOf {
  endpointId: string
  /** @default failed */
  status?: 'failed' | 'completed' | undefined
  /** Settled at or after this time, ms since the epoch. */
  settledAfter?: number | undefined
  /** Settled before this time, ms since the epoch. */
  settledBefore?: number | undefined
}

export interface DeliveryFilter {
  limit: number
  before?: string | undefined
  status?: PendingEvent['status'] | undefined
  endpointId?: string | undefined
  type?: string | undefined
  eventId?: string | undefined
}

/** One event, by what is retained of it. */
export interface EventSummary {
  id: string
  type: string
  createdAt: number
  pending: number
  held: number
  completed: number
  failed: number
}

/** The reads as the routes have them: a replay that is given {@link Once} is made once. */
export interface OnceDeliveryReads extends DeliveryReads {
  replay(workspaceId: string, id: string, options?: OnceOption): Promise<Delivery>
  replayOf(
    workspaceId: string,
    filter: ReplayOf,
    options?: { limit?: number | undefined } & OnceOption,
  ): Promise<{ count: number; more: boolean }>
}

/** @param wake resumes the first of what is held for an endpoint. */
export function createDeliveryReads(
  db: OutboxDatabase,
  wake: (endpointId: string) => Promise<void>,
): OnceDeliveryReads {
  async function exists(workspaceId: string, endpointId: string): Promise<void> {
    checkWorkspaceId(workspaceId)
    const { rows } = await db.run(
      sqlText`select 1 from keepsend_endpoints where id = ${endpointId} and workspace_id = ${workspaceId}`,
    )
    if (!rows[0]) throw new EngineError('not_found', 'no such endpoint')
  }

  async function get(workspaceId: string, id: string): Promise<Delivery> {
    checkWorkspaceId(workspaceId)
    const { rows } = await db.run(
      sqlText`select ${pendingEvents.all} from pending_events where id = ${id} and workspace_id = ${workspaceId}`,
    )
    if (!rows[0]) throw new EngineError('not_retained', 'no such delivery is retained')
    return toDelivery(rows[0])
  }

  return {
    get,

    async list(workspaceId, filter) {
      checkWorkspaceId(workspaceId)
      const wanted: SqlText[] = [sqlText`workspace_id = ${workspaceId}`]
      if (filter.before !== undefined) wanted.push(sqlText`id < ${filter.before}`)
      if (filter.status !== undefined) wanted.push(sqlText`status = ${filter.status}`)
      if (filter.endpointId !== undefined) wanted.push(sqlText`endpoint_id = ${filter.endpointId}`)
      if (filter.type !== undefined) wanted.push(sqlText`event_type = ${filter.type}`)
      if (filter.eventId !== undefined) wanted.push(eventRange(eventIdOf(filter.eventId)))
      const { rows } = await db.run(
        sqlText`select ${pendingEvents.all} from pending_events where ${allOf(wanted)} order by id desc ${limitTo(filter.limit)}`,
      )
      return rows.map(toDelivery)
    },

    async replay(workspaceId, id, { once } = {}) {
      const { gen } = await get(workspaceId, id)
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
      const row = await get(workspaceId, id)
      if (refused === false) return row
      if (refused !== true && row.completedAt !== null) throw refused
      throw new EngineError('conflict', `the delivery is ${row.status}: only a settled one can be replayed`)
    },

    async replayOf(workspaceId, filter, { once, ...options } = {}) {
      // A filter that is misspelt would send too much again.
      checkOptions('the filter of deliveries.replayOf', filter)
      checkOptions('deliveries.replayOf', options)
      const { endpointId, status = 'failed', settledAfter, settledBefore } = filter
      const { limit = MAX_REPLAYED } = options
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
        // Deleted meanwhile: they become due and fail as `endpoint_gone`, as those that waited do.
        transaction.add(resumeIfGone(endpointId))
        transaction.add(wakeWithin(db, endpointId, HOLD_REASONS[holdFor].resumeWithinMs))
        await transaction.commit(db)
        await wake(endpointId)
        return replayed.rows.length
      }
      // A request under a key is one transaction, and small.
      const count = once ? await replay(limit) : await inBatches(limit, replay)
      return { count, more: count === limit }
    },

    async ofEvent(workspaceId, eventId) {
      checkWorkspaceId(workspaceId)
      const { rows } = isEventId(eventId)
        ? await db.run(sqlText`
            select ${pendingEvents.all} from pending_events where workspace_id = ${workspaceId} and ${eventRange(eventId)} order by id`)
        : { rows: [] }
      if (rows.length === 0) throw new EngineError('not_retained', 'nothing of such an event is retained')
      return rows.map(toDelivery)
    },

    async listEvents(workspaceId, { limit, before = BEHIND_EVERY_EVENT }) {
      checkWorkspaceId(workspaceId)
      // Two workspaces may have published under one event id: each look asks for the workspace.
      // Each step seeks the newest row below the event before: as many look-ups as events, however many rows each has.
      const below = (bound: SqlText): SqlText => sqlText`(
        select ${eventIdIn(raw('max(id)'))} from pending_events
        where workspace_id = ${workspaceId} and id < ${bound} and endpoint_id <> '')`
      const { rows } = await db.run<EventSummary>(sqlText`
        with recursive events (event_id) as (
          select ${below(sqlText`${before}`)}
          union all
          select ${below(raw('event_id'))} from events where event_id is not null
        ),
        page as (select event_id from events where event_id is not null ${limitTo(limit)})
        select event_id as "id", min(event_type) as "type", min(created_at) as "createdAt",
          count(case when status = 'pending' then 1 end) as "pending", count(case when status = 'held' then 1 end) as "held",
          count(case when status = 'completed' then 1 end) as "completed", count(case when status = 'failed' then 1 end) as "failed"
        from page join pending_events on ${eventRange(raw('event_id'))}
          and workspace_id = ${workspaceId}
        group by event_id order by event_id desc`)
      return rows
    },
  }
}

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
