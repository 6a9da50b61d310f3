import { OutboxError, type PendingEvent, type SqlResult, Transaction } from '@keepsend/outbox'
import {
  type InsertStatements,
  MAX_INLINE_ROWS,
  type SqlText,
  isTooManyRows,
  toDrizzle,
} from '@keepsend/outbox/internal'
import type { SQL } from 'drizzle-orm'
import { EngineError } from '../errors.ts'
import { CHANGED_MS, UNNOTICED_MS } from '../filters/known-filters.ts'
import { errorFields } from '../logger.ts'
import type { QueuedEvent } from './event-queue.ts'
import type { PreparedEvent } from './event.ts'
import { type PublishTarget, fanOutStatements } from './fan-out.ts'
import type { HoldReason } from '../outcome.ts'

/** The result of one fan-out, or of several that commit together. @throws {EngineError} `too_many_deliveries` beyond the limit */
export async function publishResult<T>({ deliveriesPerPublish }: PublishTarget, work: Promise<T>): Promise<T> {
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

/**
 * Adds the fan-out of an event to a transaction.
 *
 * @returns a function that gives the inserted rows after the commit
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
    if (rows.some(({ isFiltered }) => isFiltered === 1)) target.filters?.learn(event.workspaceId, CHANGED_MS)
    return rows
  }
}

/**
 * Commits the fan-out of an event alone. If the database refuses it with the record of the event, once more without: history
 * never costs a delivery.
 */
export async function fanOut(target: PublishTarget, event: PreparedEvent): Promise<readonly InsertedRow[]> {
  try {
    return await commitFanOut(target, event)
  } catch (error) {
    if (!target.recordsEvents || !mayBeOfRecord(error)) throw error
    const rows = await commitFanOut({ ...target, recordsEvents: false }, event)
    const fields = { eventId: event.id, type: event.type, ...errorFields(error) }
    target.logger?.error(fields, 'failed to record an event; its deliveries were inserted')
    return rows
  }
}

/** Not if a limit was reached, or the write may have taken place. */
function mayBeOfRecord(error: unknown): boolean {
  if (error instanceof OutboxError) return error.code === 'not_accepted' || error.code === 'not_migrated'
  return !(error instanceof EngineError)
}

async function commitFanOut(target: PublishTarget, event: PreparedEvent): Promise<readonly InsertedRow[]> {
  const transaction = new Transaction()
  const rows = addFanOut(transaction, target, event)
  await publishResult(target, transaction.commit(target.db))
  return rows()
}

/** The statements before an insert, the insert, and those after it, in order. */
export function statementsOf({ before, insert, after = [] }: InsertStatements): SqlText[] {
  return [...before, insert, ...after]
}

/** The fan-out for the host's own transaction. It may be rolled back, so its receivers are not counted for later events. */
export function publishStatements(target: PublishTarget, event: PreparedEvent): SQL[] {
  target.filters?.learn(event.workspaceId, UNNOTICED_MS)
  const statements = statementsOf(fanOutStatements(target, event))
  return statements.map((statement) => toDrizzle(statement))
}

/** Adds an insert with the statements around it. */
export function addInsert(
  transaction: Transaction,
  { before, insert, after = [] }: InsertStatements,
): SqlResult<InsertedRow> {
  transaction.addAll(before)
  const inserted = transaction.add<InsertedRow>(insert)
  transaction.addAll(after)
  return inserted
}

/** A row that a fan-out inserted. */
export interface InsertedRow {
  id: string
  endpointId: string
  gen: number
  ready: number
  /** 1: it waits for the `deliverAt` of its event. */
  isAhead?: number
  /** Null: the row needs a message. */
  holdReason: HoldReason | null
  /** 1: it has a copy of its endpoint's filter. */
  isFiltered: number
}

/**
 * The messages for inserted rows. Held rows get none, nor do rows in a lane that the adapter dispatches later, nor rows that wait
 * for their time and that the sweep dispatches then.
 */
export function messagesFor(
  { rowsStart, messagesPerPublish }: PublishTarget,
  event: PreparedEvent,
  rows: readonly InsertedRow[],
): QueuedEvent[] {
  const { type, workspaceId, id: eventId } = event
  return rows
    .filter(({ isAhead }) => isAhead !== 1 || rowsStart === 'now')
    .filter(({ holdReason, ready }) => holdReason === null && (messagesPerPublish === undefined || ready === 0))
    .map(({ id, gen, endpointId }) => ({ ...messageFor({ id, gen, type, workspaceId }), eventId, endpointId }))
}

/** The message for a row in its current generation. */
export function messageFor({
  id,
  gen,
  type,
  workspaceId,
}: Pick<PendingEvent, 'id' | 'gen' | 'type' | 'workspaceId'>): QueuedEvent & { outboxId: string; gen: number } {
  return { outboxId: id, gen, type, workspaceId }
}
