import {
  type InsertStatements,
  MAX_INLINE_ROWS,
  type OutboxDatabase,
  type PendingEvent,
  type SqlResult,
  type SqlText,
  Transaction,
  insertSelectStatements,
  maxInlineRows,
  isTooManyRows,
  raw,
  sqlText,
  template,
  toDrizzle,
} from '@keepsend/outbox'
import type { SQL } from 'drizzle-orm'
import { EngineError } from './errors.ts'
import type { EventQueue, QueuedEvent } from './event-queue.ts'
import { type PreparedEvent, patternsOf } from './event.ts'
import type { FewReceivers } from './few-receivers.ts'
import type { HoldReason } from './hold-reason.ts'
import { DEFAULT_MAX_AGE_MS } from './schedule.ts'

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
  fewReceivers?: FewReceivers | undefined
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
    only === undefined && rowsStart === 'now' && maxInlineRows(db.dialect, event.payload, expectsFew) === Infinity
  if (!isPlain) return toWhoWants(target, event, wanted, { only, expectsFew })
  const { id, workspaceId, type, payload } = event
  const [patterns, channels] = wanted
  return {
    before: [],
    insert: plainFanOut(target, wanted)([id, workspaceId, type, payload, ...patterns.params, ...channels.params]),
  }
}

/** As most fan-outs are: due now, with the payload in each row. To build the text each time took a tenth of a publish. */
function plainFanOut(target: PublishTarget, [patterns, channels]: Wanted): ReturnType<typeof template> {
  const known = plainFanOuts.get(target) ?? new Map<string, ReturnType<typeof template>>()
  plainFanOuts.set(target, known)
  const shape = `${patterns.sql} ${channels.sql}`
  const made =
    known.get(shape) ??
    template(
      4 + patterns.params.length + channels.params.length,
      ([id = '', workspaceId = '', type = '', payload = '', ...rest]) => {
        const wanted = [
          { sql: patterns.sql, params: rest.slice(0, patterns.params.length) },
          { sql: channels.sql, params: rest.slice(patterns.params.length) },
        ] as const
        return toWhoWants(target, { id, workspaceId, type, payload }, wanted, { expectsFew: true }).insert
      },
    )
  known.set(shape, made)
  return made
}

const plainFanOuts = new WeakMap<PublishTarget, Map<string, ReturnType<typeof template>>>()

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

type Publishable = Pick<PreparedEvent, 'id' | 'workspaceId' | 'type' | 'payload'>

interface FanOutOptions {
  /** Makes it a fan-out to nobody unless this condition holds. @default it always holds */
  only?: SqlText | undefined
  /** See {@link FewReceivers}. @default the receivers are counted */
  expectsFew?: boolean | undefined
}

const ALWAYS = raw('1 = 1')

/** The channels of subscriptions that an event fits. */
export function channelsOf({ channels }: PreparedEvent): string[] {
  return [...new Set(['*', ...channels.flatMap(patternsOf)])]
}

/** Whether an endpoint gets what is published now: a disabled one, until it has been so for longer than a delivery may take. */
export function collects({ maxAgeMs = DEFAULT_MAX_AGE_MS }: PublishTarget, now: SqlText): SqlText {
  return sqlText`(status = 'enabled' or coalesce(disabled_at, ${now}) > ${now} - ${raw(String(maxAgeMs))})`
}

/** What a fan-out, or several that commit together, came to; a refusal of too many receivers in the engine's words. */
export async function published<T>({ deliveriesPerPublish }: PublishTarget, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!isTooManyRows(error)) throw error
    throw new EngineError(
      'too_many_deliveries',
      `one publish makes at most ${deliveriesPerPublish} deliveries (limits.deliveriesPerPublish), and this one has more receivers`,
      { cause: error },
    )
  }
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
  const joinsLine = dispatchAtOnce !== undefined
  return insertSelectStatements(
    db.dialect,
    { eventId, workspaceId, type, payload, due: rowsStart, joinsLine, maxRows, expectsFew },
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

/**
 * Adds the fan-out of an event to a transaction.
 *
 * @returns after the commit: the rows that it inserted
 */
export function addFanOut(
  transaction: Transaction,
  target: PublishTarget,
  event: PreparedEvent,
): () => readonly InsertedRow[] {
  const expectsFew = target.fewReceivers?.has(event)
  const inserted = addInsert(transaction, fanOutStatements(target, event, { expectsFew }))
  return () => {
    const { rows } = inserted
    if (expectsFew !== rows.length <= MAX_INLINE_ROWS) target.fewReceivers?.note(event, rows.length)
    return rows
  }
}

/** Commits the fan-out of an event alone. */
export async function fanOut(target: PublishTarget, event: PreparedEvent): Promise<readonly InsertedRow[]> {
  const transaction = new Transaction()
  const rows = addFanOut(transaction, target, event)
  await published(target, transaction.commit(target.db))
  return rows()
}

/** An insert and what stands before it, in order. */
export function statementsOf({ before, insert }: InsertStatements): SqlText[] {
  return [...before, insert]
}

/** The fan-out for a transaction of the host's own, which may be rolled back: what it inserts is not noted. */
export function publishStatements(target: PublishTarget, event: PreparedEvent): SQL[] {
  const statements = statementsOf(fanOutStatements(target, event))
  return statements.map((statement) => toDrizzle(statement))
}

/** Adds an insert and what stands before it. */
export function addInsert(transaction: Transaction, { before, insert }: InsertStatements): SqlResult<InsertedRow> {
  transaction.addAll(before)
  return transaction.add<InsertedRow>(insert)
}

/** A row that a fan-out inserted. */
export interface InsertedRow {
  id: string
  endpointId: string
  gen: number
  ready: number
  /** Null: its message is wanted. */
  holdReason: HoldReason | null
}

/** The messages for the rows that a fan-out inserted; what is held, or stands in a line that others dispatch, gets none. */
export function messagesFor(
  { dispatchAtOnce }: PublishTarget,
  event: PreparedEvent,
  rows: readonly InsertedRow[],
): QueuedEvent[] {
  const { type, workspaceId, id: eventId } = event
  return rows
    .filter(({ holdReason, ready }) => holdReason === null && (dispatchAtOnce === undefined || ready === 0))
    .map(({ id, gen, endpointId }) => ({ ...messageFor({ id, gen, type, workspaceId }), eventId, endpointId }))
}

/** The message that names a row under its generation. */
export function messageFor({
  id,
  gen,
  type,
  workspaceId,
}: Pick<PendingEvent, 'id' | 'gen' | 'type' | 'workspaceId'>): QueuedEvent & { outboxId: string; gen: number } {
  return { outboxId: id, gen, type, workspaceId }
}
