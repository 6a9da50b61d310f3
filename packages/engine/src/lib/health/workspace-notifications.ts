import { type ClaimRef, Transaction } from '@keepsend/outbox'
import { type SqlText, byId, clock, createCodec, limitTo, raw, sqlText } from '@keepsend/outbox/internal'
import { lockEndpoints } from '../backlog/locks.ts'
import { parseStored } from '../formats/stored-json.ts'
import { type PreparedEvent, patternsOf, prepareOwnEvent } from '../publish/event.ts'
import { type PublishTarget, channelsOf, fanOutStatements } from '../publish/fan-out.ts'
import { statementsOf } from '../publish/publish.ts'
import type { notifications } from '../sqlite/history-tables.ts'
import { currentClaims } from './circuit-breaker.ts'
import type { Occurrence } from './occurrence.ts'

/** Makes the statements that notify workspaces about their own endpoints, with `workspaceNotifications`. */
interface WorkspaceNotifier {
  endpoint(occurrence: Occurrence): SqlText[]
  /** Notifies once of all deliveries of an endpoint. */
  deliveries(failed: readonly (Occurrence & { claim: ClaimRef })[]): SqlText[]
  sendCollected(): Promise<boolean>
}

// At most one notification of a type about one endpoint in this time.
const MINUTE = raw('60000')
const MAX_IDS = 10
// Notifications that one round of maintenance sends, in one transaction.
const ROUND = 50

/**
 * A row of `keepsend_notifications` for each type and endpoint of which a workspace was notified:
 *
 * ```text
 *               something happens                                        something happens
 *   (no row) ─────────────────────► sent ───────────────────────────────────────────────► collecting
 *      ▲                            │  ▲  within a minute (later: sent again)                │
 *      └────── maintenance ─────────┘  └──────────────── maintenance, after a minute ────────┘
 * ```
 *
 * The settle sends the first notification in its own transaction. The occurrences in the minute after it are counted in the
 * row, and maintenance sends the count. Nothing is written if no other endpoint of the workspace subscribes to the type.
 *
 * @param target its rows start `now`, or `swept` where a sweep delivers: in line, they would keep later rows of the workspace waiting
 */
export function createWorkspaceNotifier(
  target: PublishTarget,
  operatorWorkspaceId: string | undefined,
): WorkspaceNotifier {
  const { db } = target

  /** Counts what happens, and sends the notification if it is due and all of it happens. */
  function notify(
    occurrence: Occurrence,
    { happened, most, ids }: { happened: SqlText; most: number; ids?: readonly string[] },
  ): SqlText[] {
    const { type, endpointId, workspaceId, data } = occurrence
    // The operator's workspace gets each of its own notifications already.
    if (workspaceId === undefined || workspaceId === operatorWorkspaceId) return []
    const event = prepareOwnEvent({ type, workspaceId, data: withCount(data, most, ids) })
    return [countStatement(event, endpointId, { happened, most, data }), ...send(event, endpointId)]
  }

  function countStatement(
    event: PreparedEvent,
    endpointId: string,
    { happened, most, data }: { happened: SqlText; most: number; data: object },
  ): SqlText {
    const { id, type, workspaceId } = event
    const isWhole = sqlText`occurrences = cast(${most} as integer)`
    const isSubscribed = sqlText`exists (
      select 1 from keepsend_subscriptions where workspace_id = ${workspaceId} and pattern ${db.dialect.oneOf(patternsOf(type))}
        and channel ${db.dialect.oneOf(channelsOf(event))} and endpoint_id <> ${endpointId})`
    return sqlText`
      insert into keepsend_notifications (endpoint_id, event_type, workspace_id, event_id, sent_at, began_at, occurrences, delivery_ids, data)
      select cast(${endpointId} as text), cast(${type} as text), cast(${workspaceId} as text),
        case when ${isWhole} then cast(${id} as text) end, ${clock()} - case when ${isWhole} then 0 else ${MINUTE} end, ${clock()},
        occurrences, delivery_ids, coalesce(data, cast(${JSON.stringify(data)} as text))
      from (${happened}) as happened where occurrences > 0 and ${isSubscribed}
      ${ADD}`
  }

  /** Sends a notification if its row names it. */
  function send(event: PreparedEvent, endpointId: string): SqlText[] {
    const only = sqlText`exists (
      select 1 from keepsend_notifications as sent
      where sent.endpoint_id = ${endpointId} and sent.event_type = ${event.type} and sent.event_id = ${event.id})`
    return statementsOf(fanOutStatements(target, event, { only, except: endpointId }))
  }

  return {
    endpoint(occurrence) {
      const happened = sqlText`
        select case when ${occurrence.condition} then 1 else 0 end as occurrences, cast(null as text) as delivery_ids, cast(null as text) as data`
      return notify(occurrence, { happened, most: 1 })
    },

    deliveries(failed) {
      const groups = [...Map.groupBy(failed, ({ endpointId }) => endpointId)].sort(([one], [other]) =>
        compare(one, other),
      )
      return groups.flatMap(([, group]) => {
        const deliveries = group.map(({ claim, ...one }) => ({ ...one, id: claim.id })).sort(byId)
        const [first] = deliveries
        if (!first) return []
        const claims = currentClaims(
          db,
          group.map(({ claim }) => claim),
        )
        const details = db.dialect.rows('detail', deliveries, {
          delivery_id: ['text', ({ id }) => id],
          data: ['text', ({ data }) => JSON.stringify(data)],
        })
        const happened = sqlText`
          select occurrences, delivery_ids, (select data from ${details} where delivery_id = first_id) as data
          from (
            select cast(count(*) as integer) as occurrences, min(delivery.id) as first_id, (
              select string_agg(id, ',' order by id) from (
                select delivery.id as id from ${claims} order by delivery.id limit ${raw(String(MAX_IDS))}) as listed) as delivery_ids
            from ${claims}) as counted`
        const ids = deliveries.slice(0, MAX_IDS).map(({ id }) => id)
        return notify(first, { happened, most: deliveries.length, ids })
      })
    },

    async sendCollected() {
      const { rows } = await db.run(sqlText`
        select ${notificationRows.all} from keepsend_notifications
        where sent_at <= ${clock()} - ${MINUTE} order by sent_at ${limitTo(ROUND)}`)
      if (rows.length === 0) return false
      const found = rows.map((row) => notificationRows.read(row))
      // In the order of endpoints, as settles write them: otherwise a settle and this transaction would deadlock.
      const collected = found
        .filter(({ eventId }) => eventId === null)
        .sort((one, other) => compare(one.endpointId, other.endpointId) || compare(one.type, other.type))
      const transaction = new Transaction()
      transaction.addAll(
        lockEndpoints(
          db,
          collected.map(({ endpointId }) => endpointId),
        ),
      )
      for (const { endpointId, type, workspaceId, occurrences, beganAt, ...one } of collected) {
        const ids = one.deliveryIds?.split(',').slice(0, MAX_IDS)
        // Text that was broken by hand must not keep the others waiting.
        const data = withCount(Object(parseStored(one.data)), occurrences, ids)
        const event = prepareOwnEvent({ type, workspaceId, data, at: beganAt })
        // Compared with what was read: if more was counted meanwhile, the next round sends it. By its beginning too: another
        // process may have sent it since, and as many may have been collected again.
        transaction.add(sqlText`
          update keepsend_notifications set event_id = ${event.id}, sent_at = ${clock()}
          where endpoint_id = ${endpointId} and event_type = ${type} and event_id is null
            and began_at = ${beganAt} and occurrences = ${occurrences}`)
        transaction.addAll(send(event, endpointId))
      }
      transaction.add(sqlText`
        delete from keepsend_notifications where (endpoint_id, event_type) in (
          select old.endpoint_id, old.event_type from keepsend_notifications as old
          where old.sent_at <= ${clock()} - ${MINUTE} and old.event_id is not null
          order by old.sent_at ${limitTo(ROUND)} ${db.dialect.lock('pick', 'old')})`)
      await transaction.commit(db)
      return rows.length === ROUND
    },
  }
}

const SENDS = sqlText`keepsend_notifications.event_id is not null and excluded.event_id is not null
        and keepsend_notifications.sent_at <= excluded.sent_at - ${MINUTE}`
const COLLECTS = raw('keepsend_notifications.event_id is null')

/** A row that collects goes on. One that was sent is sent again after its minute, and begins to collect before. */
const ADD = sqlText`
      on conflict (endpoint_id, event_type) do update set
        event_id = case when ${SENDS} then excluded.event_id end,
        sent_at = case when ${SENDS} then excluded.sent_at else keepsend_notifications.sent_at end,
        began_at = case when ${COLLECTS} then keepsend_notifications.began_at else excluded.began_at end,
        occurrences = excluded.occurrences + case when ${COLLECTS} then keepsend_notifications.occurrences else 0 end,
        delivery_ids = case
          when not (${COLLECTS}) then excluded.delivery_ids
          when keepsend_notifications.occurrences >= ${raw(String(MAX_IDS))} then keepsend_notifications.delivery_ids
          else keepsend_notifications.delivery_ids || ',' || excluded.delivery_ids end,
        data = case when ${COLLECTS} then keepsend_notifications.data else excluded.data end`

function compare(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}

function withCount(data: object, count: number, deliveryIds: readonly string[] | undefined): object {
  return { ...data, count, ...(deliveryIds && { deliveryIds }) }
}

const notificationRows = createCodec<typeof notifications>({
  endpointId: 'endpoint_id',
  type: 'event_type',
  workspaceId: 'workspace_id',
  eventId: 'event_id',
  sentAt: 'sent_at',
  beganAt: 'began_at',
  occurrences: 'occurrences',
  deliveryIds: 'delivery_ids',
  data: 'data',
})
