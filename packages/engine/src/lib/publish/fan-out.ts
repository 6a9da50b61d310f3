import type { OutboxDatabase } from '@keepsend/outbox'
import {
  type InsertStatements,
  type SqlText,
  insertSelectStatements,
  maxInlineRows,
  raw,
  sqlText,
  template,
} from '@keepsend/outbox/internal'
import type { EventQueue } from './event-queue.ts'
import { type PreparedEvent, patternsOf } from './event.ts'
import type { ReceiverCount } from './receiver-count.ts'
import type { HoldReason } from '../outcome.ts'
import { DEFAULT_MAX_AGE_MS } from '../retry-schedule.ts'

/** Where an engine publishes: the database, and how its queue wants rows to start. */
export interface PublishTarget {
  db: OutboxDatabase
  rowsStart: NonNullable<EventQueue['rowsStart']>
  dispatchAtOnce?: EventQueue['dispatchAtOnce']
  /** How long a disabled endpoint collects, in ms. @default 604_800_000 (7 days) */
  maxAgeMs?: number | undefined
  /** Deliveries that one fan-out makes at most; with more receivers it fails and makes none. @default no limit */
  deliveriesPerPublish?: number | undefined
  /** @default the receivers of each event are counted */
  fewReceivers?: ReceiverCount | undefined
}

/**
 * The fan-out: one statement that inserts a row for each endpoint of the workspace whose subscriptions fit, and on SQLite
 * one before it that may store their payload. Inside the caller's transaction the set of receivers is frozen with the
 * change; without a subscriber there is no row. A disabled endpoint collects: its rows are held, until it has been disabled
 * for longer than a delivery may take.
 *
 * On Postgres the endpoint may be enabled between this statement's look at it and its commit: the row is then held for
 * an endpoint that is enabled, and was not there to be resumed. No lock guards that, since each publish would wait for
 * each settle of its endpoints; the next round of maintenance gives such an endpoint a wake time (`wakeStrays`).
 */
export function fanOutStatements(
  target: PublishTarget,
  event: PreparedEvent,
  { only, expectsFew }: FanOutOptions = {},
): InsertStatements {
  const { db, rowsStart } = target
  const wanted = [db.dialect.oneOf(patternsOf(event.type)), db.dialect.oneOf(channelsOf(event))] as const
  const isPlain =
    only === undefined &&
    rowsStart === 'now' &&
    event.contentType === null &&
    maxInlineRows(db.dialect, event.payload, expectsFew) === Infinity
  if (!isPlain) return toWhoWants(target, event, wanted, { only, expectsFew })
  const { id, workspaceId, type, payload } = event
  const [patterns, channels] = wanted
  return {
    before: [],
    insert: plainFanOut(target, wanted)([id, workspaceId, type, payload, ...patterns.params, ...channels.params]),
  }
}

/** As most fan-outs are: due now, with a payload of JSON in each row. Building their text took a tenth of a publish. */
function plainFanOut(target: PublishTarget, [patterns, channels]: Wanted): Bind {
  const ofTarget = gotOrMade(plainFanOuts, target, () => new Map<string, Map<string, Bind>>())
  const ofPatterns = gotOrMade(ofTarget, patterns.sql, () => new Map<string, Bind>())
  return gotOrMade(ofPatterns, channels.sql, () => {
    const split = FIXED_VALUES + patterns.params.length
    return template(split + channels.params.length, (standIns) => {
      const [id = '', workspaceId = '', type = '', payload = ''] = standIns
      const wanted = [
        { sql: patterns.sql, params: standIns.slice(FIXED_VALUES, split) },
        { sql: channels.sql, params: standIns.slice(split) },
      ] as const
      return toWhoWants(target, { id, workspaceId, type, payload, contentType: null }, wanted, { expectsFew: true })
        .insert
    })
  })
}

type Bind = ReturnType<typeof template>

// Id, workspace, type and payload; behind them those of the patterns and of the channels.
const FIXED_VALUES = 4

/** By the text of the patterns, and that of the channels: some hundreds at most. */
const plainFanOuts = new WeakMap<PublishTarget, Map<string, Map<string, Bind>>>()

function gotOrMade<Key, Value>(
  known: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  make: () => Value,
): Value {
  const found = known.get(key)
  if (found !== undefined) return found
  const made = make()
  known.set(key, made)
  return made
}

/** The patterns and the channels of which a subscription has one each. */
type Wanted = readonly [patterns: SqlText, channels: SqlText]

function toWhoWants(
  target: PublishTarget,
  event: Publishable,
  [patterns, channels]: Wanted,
  { only = ALWAYS, expectsFew }: FanOutOptions,
): InsertStatements {
  return forEndpoints(
    target,
    event,
    (now) => sqlText`
    workspace_id = ${event.workspaceId} and ${collects(target, now)} and id in (
      select endpoint_id from keepsend_subscriptions
      where workspace_id = ${event.workspaceId} and pattern ${patterns} and channel ${channels}
    ) and ${only}`,
    { maxRows: target.deliveriesPerPublish, expectsFew },
  )
}

type Publishable = Pick<PreparedEvent, 'id' | 'workspaceId' | 'type' | 'payload' | 'contentType'>

interface FanOutOptions {
  /** Makes it a fan-out to nobody unless this condition holds. @default it always holds */
  only?: SqlText | undefined
  /** See {@link ReceiverCount}. @default the receivers are counted */
  expectsFew?: boolean | undefined
}

const ALWAYS = raw('1 = 1')

/** The channels of subscriptions that an event fits. */
export function channelsOf({ channels }: PreparedEvent): readonly string[] {
  if (channels.length === 0) return EVERY_CHANNEL
  return [...new Set(['*', ...channels.flatMap(patternsOf)])]
}

const EVERY_CHANNEL = ['*']

/** Whether an endpoint gets what is published now: a disabled one, until it has been so for longer than a delivery may take. */
export function collects({ maxAgeMs = DEFAULT_MAX_AGE_MS }: PublishTarget, now: SqlText): SqlText {
  return sqlText`(status = 'enabled' or coalesce(disabled_at, ${now}) > ${now} - ${raw(String(maxAgeMs))})`
}

/** One endpoint, subscribed or not, enabled or not: a test event. */
export function fanOutToOneStatements(
  target: PublishTarget,
  event: PreparedEvent,
  endpointId: string,
): InsertStatements {
  const whereAt = () => sqlText`workspace_id = ${event.workspaceId} and id = ${endpointId}`
  return forEndpoints(target, event, whereAt, { expectsFew: true })
}

function forEndpoints(
  { db, rowsStart, dispatchAtOnce }: PublishTarget,
  event: Publishable,
  whereAt: (now: SqlText) => SqlText,
  { maxRows, expectsFew }: { maxRows?: number | undefined; expectsFew: boolean | undefined },
): InsertStatements {
  const { id: eventId, workspaceId, type, payload } = event
  const contentType = event.contentType ?? undefined
  const joinsLine = dispatchAtOnce !== undefined
  return insertSelectStatements(
    db.dialect,
    { eventId, workspaceId, type, payload, contentType, due: rowsStart, joinsLine, maxRows, expectsFew },
    (now) => ({
      endpointId: raw('id'),
      maxAttempts: raw('max_attempts'),
      heldFor: heldFromTheStart(now),
      from: sqlText`keepsend_endpoints where ${whereAt(now)}`,
      isFew: maxRows === undefined ? undefined : hasFewEndpoints(db, workspaceId, maxRows),
    }),
  )
}

/** On SQLite receivers are looked up once more to count them: 8 of 20 µs of a publish. Postgres counts what it has found. */
function hasFewEndpoints({ dialect }: OutboxDatabase, workspaceId: string, most: number): SqlText | undefined {
  if (dialect.name === 'postgres') return undefined
  return sqlText`(
        select 1 from keepsend_endpoints as every where every.workspace_id = ${workspaceId} limit 1 offset ${raw(String(most))}) is null`
}

/** Why an endpoint holds a row that is published for it; null: it does not. A line for each reason. */
function heldFromTheStart(now: SqlText): SqlText {
  return sqlText`case
        when status <> 'enabled' then ${HELD_AS_DISABLED}
        when paused_until > ${now} then ${HELD_AS_PAUSED}
      end`
}

const HELD_AS_DISABLED = raw(`'${'endpoint_disabled' satisfies HoldReason}'`)
const HELD_AS_PAUSED = raw(`'${'endpoint_paused' satisfies HoldReason}'`)
