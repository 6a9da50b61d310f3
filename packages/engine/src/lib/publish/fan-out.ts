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
import { eventRecord } from '../history/record-event.ts'
import { isErased } from '../history/tombstones.ts'
import { joinEvaluated } from '../filters/join-evaluated.ts'
import type { EvaluatedFilter, KnownFilters } from '../filters/known-filters.ts'
import type { Logger } from '../logger.ts'
import { initialHoldReason } from './initial-hold-reason.ts'
import { DEFAULT_MAX_AGE_MS } from '../retry-schedule.ts'

/**
 * Where an engine publishes: the database, and how its queue needs rows to start. `swept` rows are due now, but not in line.
 */
export interface PublishTarget {
  db: OutboxDatabase
  rowsStart: NonNullable<EventQueue['rowsStart']> | 'swept'
  messagesPerPublish?: EventQueue['messagesPerPublish']
  /** How long a disabled endpoint collects, in ms. @default 604_800_000 (7 days) */
  maxAgeMs?: number | undefined
  /** The most deliveries of one fan-out; with more receivers it fails and inserts none. @default no limit */
  deliveriesPerPublish?: number | undefined
  /** @default the receivers of each event are counted */
  fewReceivers?: ReceiverCount | undefined
  /** @default no filter is known: each row gets a copy of its endpoint's */
  filters?: KnownFilters | undefined
  /** Whether each event is recorded with its payload. @default false */
  recordsEvents?: boolean | undefined
  /** The paths by whose values recorded events are found. @default none */
  searchPaths?: readonly string[] | undefined
  /** Receives the error of an event that could not be recorded. @default nothing */
  logger?: Pick<Logger, 'error'> | undefined
}

/**
 * The fan-out: one statement that inserts a row for each endpoint of the workspace with a matching subscription, and on
 * SQLite one before it that may store their payload. Inside the caller's transaction the set of receivers is frozen with the
 * change; without a subscriber there is no row. A disabled endpoint collects held rows until it has been disabled for longer
 * than `maxAgeMs`.
 *
 * On Postgres an endpoint may be enabled between this statement's read and its commit: the row is then held for an enabled
 * endpoint, and enabling did not see it. No lock prevents that, since each publish would wait for each settle of its
 * endpoints; maintenance gives such an endpoint a `resume_at` within a minute (`scheduleOrphanedHolds`).
 */
export function fanOutStatements(
  target: PublishTarget,
  event: PreparedEvent,
  how: FanOutOptions = {},
): InsertStatements {
  const { db, rowsStart } = target
  const { only = unlessErased(event), except, expectsFew } = how
  const matching = [db.dialect.oneOf(patternsOf(event.type)), db.dialect.oneOf(channelsOf(event))] as const
  const evaluated = target.filters?.evaluate(event) ?? []
  const isPlain =
    only === undefined &&
    except === undefined &&
    evaluated.length === 0 &&
    !target.recordsEvents &&
    rowsStart === 'now' &&
    event.contentType === null &&
    event.versions === undefined &&
    event.deliverAt === undefined &&
    event.expiry === undefined &&
    maxInlineRows(db.dialect, event.payload, expectsFew) === Infinity
  if (!isPlain) return fanOutToSubscribers(target, event, matching, { ...how, only, evaluated })
  const { id, workspaceId, type, payload } = event
  const [patterns, channels] = matching
  return {
    before: [],
    insert: plainFanOut(target, matching)([id, workspaceId, type, payload, ...patterns.params, ...channels.params]),
  }
}

/** An event under an id of its caller, such as that of a queue message, comes back no more once it is erased. */
function unlessErased({ id, workspaceId, hasGivenId }: PreparedEvent): SqlText | undefined {
  if (!hasGivenId) return undefined
  return sqlText`not ${isErased({ workspaceId: sqlText`cast(${workspaceId} as text)`, eventId: sqlText`cast(${id} as text)` })}`
}

/**
 * The usual fan-out, due now and with a JSON payload in each row, from a cached template: building its SQL took a tenth of a
 * publish.
 */
function plainFanOut(target: PublishTarget, [patterns, channels]: Matching): Bind {
  const byPatterns = getOrCreate(plainFanOuts, target, () => new Map<string, Map<string, Bind>>())
  const byChannels = getOrCreate(byPatterns, patterns.sql, () => new Map<string, Bind>())
  return getOrCreate(byChannels, channels.sql, () => {
    const split = FIXED_VALUES + patterns.params.length
    return template(split + channels.params.length, (placeholders) => {
      const [id = '', workspaceId = '', type = '', payload = ''] = placeholders
      const matching = [
        { sql: patterns.sql, params: placeholders.slice(FIXED_VALUES, split) },
        { sql: channels.sql, params: placeholders.slice(split) },
      ] as const
      const event = { id, workspaceId, type, payload, channels: [], contentType: null, traceparent: undefined }
      return fanOutToSubscribers(target, event, matching, { expectsFew: true }).insert
    })
  })
}

type Bind = ReturnType<typeof template>

// Id, workspace, type and payload; the parameters of the patterns and of the channels follow.
const FIXED_VALUES = 4

/** By the SQL of the patterns, then by that of the channels: a few hundred at most. */
const plainFanOuts = new WeakMap<PublishTarget, Map<string, Map<string, Bind>>>()

function getOrCreate<Key, Value>(
  known: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  create: () => Value,
): Value {
  const found = known.get(key)
  if (found !== undefined) return found
  const created = create()
  known.set(key, created)
  return created
}

/** The conditions that a subscription's pattern and channel fulfil. */
type Matching = readonly [patterns: SqlText, channels: SqlText]

function fanOutToSubscribers(
  target: PublishTarget,
  event: Publishable,
  [patterns, channels]: Matching,
  { only = ALWAYS, except, evaluated = [], ...how }: FanOutOptions & { evaluated?: readonly EvaluatedFilter[] },
): InsertStatements {
  const { isKnown, filter, join } = joinEvaluated(target.db, evaluated)
  return forEndpoints(
    target,
    event,
    {
      filter,
      join,
      whereAt: (now) => sqlText`
    workspace_id = ${event.workspaceId} and ${collects(target, now)} and id in (
      select endpoint_id from keepsend_subscriptions
      where workspace_id = ${event.workspaceId} and pattern ${patterns} and channel ${channels}
    ) and ${only}${except === undefined ? raw('') : sqlText` and id <> ${except}`}${isKnown}`,
    },
    { maxRows: target.deliveriesPerPublish, only, ...how },
  )
}

type Publishable = Omit<PreparedEvent, 'timestamp' | 'data' | 'raw'>

interface FanOutOptions {
  /** Without this condition, which refers to no column, the fan-out inserts nothing. @default it always holds */
  only?: SqlText | undefined
  /** The id of an endpoint that receives nothing. @default each one with a matching subscription receives */
  except?: string | undefined
  /** See {@link ReceiverCount}. @default the receivers are counted */
  expectsFew?: boolean | undefined
}

const ALWAYS = raw('1 = 1')

/** The subscription channels that match an event. */
export function channelsOf({ channels }: Pick<PreparedEvent, 'channels'>): readonly string[] {
  if (channels.length === 0) return EVERY_CHANNEL
  return [...new Set(['*', ...channels.flatMap(patternsOf)])]
}

const EVERY_CHANNEL = ['*']

/** The condition that an endpoint collects what is published now: a disabled one does for `maxAgeMs`. */
export function collects({ maxAgeMs = DEFAULT_MAX_AGE_MS }: PublishTarget, now: SqlText): SqlText {
  return sqlText`(status = 'enabled' or coalesce(disabled_at, ${now}) > ${now} - ${raw(String(maxAgeMs))})`
}

/** The fan-out of a test event: to one endpoint, subscribed or not, enabled or not. */
export function fanOutToOneStatements(
  target: PublishTarget,
  event: PreparedEvent,
  endpointId: string,
): InsertStatements {
  const where = sqlText`workspace_id = ${event.workspaceId} and id = ${endpointId}`
  const only = sqlText`exists (select 1 from keepsend_endpoints where ${where})`
  const one = { filter: undefined, join: raw(''), whereAt: () => where }
  return forEndpoints(target, event, one, { expectsFew: true, only })
}

interface Endpoints {
  /** Undefined: whatever their filters say. */
  filter: SqlText | undefined
  /** Follows `keepsend_endpoints`. */
  join: SqlText
  whereAt: (now: SqlText) => SqlText
}

function forEndpoints(
  { db, rowsStart, messagesPerPublish, recordsEvents, searchPaths }: PublishTarget,
  event: Publishable,
  { filter, join, whereAt }: Endpoints,
  { only, ...how }: Omit<FanOutOptions, 'only' | 'except'> & { maxRows?: number | undefined; only: SqlText },
): InsertStatements {
  const { id: eventId, workspaceId, type, payload, deliverAt, expiry, versions } = event
  const contentType = event.contentType ?? undefined
  const joinsLine = messagesPerPublish !== undefined
  const record = recordsEvents ? eventRecord(db, event, { only, searchPaths }) : undefined
  return insertSelectStatements(
    db.dialect,
    {
      eventId,
      workspaceId,
      type,
      payload,
      contentType,
      due: rowsStart,
      joinsLine,
      record,
      deliverAt,
      expiry,
      versions,
      ...how,
    },
    (now) => ({
      endpointId: raw('id'),
      maxAttempts: raw('max_attempts'),
      heldFor: initialHoldReason(now),
      filter,
      label: versions && sqlText`coalesce(event_version, cast(${versions.oldest} as text))`,
      from: sqlText`keepsend_endpoints${join} where ${whereAt(now)}`,
      isFew: how.maxRows === undefined ? undefined : hasFewEndpoints(db, workspaceId, how.maxRows),
    }),
  )
}

/**
 * The condition that the workspace has too few endpoints to exceed the limit, so that receivers need not be counted: on
 * SQLite the count is a second look-up, 8 of the 20 µs of a publish. Postgres counts the rows that it has found.
 */
function hasFewEndpoints({ dialect }: OutboxDatabase, workspaceId: string, most: number): SqlText | undefined {
  if (dialect.name === 'postgres') return undefined
  return sqlText`(
        select 1 from keepsend_endpoints as every where every.workspace_id = ${workspaceId} limit 1 offset ${raw(String(most))}) is null`
}
