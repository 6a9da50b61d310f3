import { OutboxError, type Statement, Transaction } from '@keepsend/outbox'
import { EngineError } from './errors.ts'
import type { PreparedEvent, WebhookEvent } from './event.ts'
import {
  type HashedKey,
  type IdempotencyKey,
  type StoredAnswer,
  beginIdempotent,
  hashKey,
  readAnswer,
  recordStatement,
  unmarkStatement,
} from './idempotency.ts'
import { type Logger, errorFields } from './logger.ts'
import type { QueuedEvent } from './event-queue.ts'
import { type InsertedRow, type PublishTarget, fanOutStatement, messagesFor } from './publish.ts'

export interface CommitOptions {
  /** Unexecuted statements, in order: drizzle builders, drizzle `sql`, or `{ sql, params }` in the database's spelling. */
  writes: readonly Statement[]
  events: readonly WebhookEvent[]
  /** Known before the commit, so that it can be stored with it. @default { status: 200, body: null } */
  response?: { status: number; body: unknown } | undefined
  idempotencyKey?: IdempotencyKey | undefined
  /** Takes the hand-off to the queue: `ctx.waitUntil` on Workers. @default it runs on by itself */
  background?: ((work: Promise<void>) => void) | undefined
}

/** What was committed, or what an earlier commit of the same request was answered. */
export interface Committed {
  status: number
  /** JSON, the same bytes for every repeat of the request. */
  body: string
  replayed: boolean
  /** The ids of the events, in order. Empty when replayed: the earlier answer says what it kept. */
  eventIds: string[]
}

/** What {@link commitUnit} made durable. */
export interface CommittedUnit {
  answer: StoredAnswer
  /** The answer of an earlier commit of the same request; nothing was written now. */
  replayed: boolean
  /** Of the rows that were inserted. Empty when replayed. */
  messages: QueuedEvent[]
}

/**
 * The caller's writes, the rows of the events and the idempotency record as one atomic unit: all of it or nothing,
 * whatever dies between any two statements. Never repeated by us: after an error the record decides whether the
 * commit took place, and without one the caller is told when that is unknown.
 */
export async function commitUnit(
  target: PublishTarget,
  unit: {
    writes: readonly Statement[]
    events: readonly PreparedEvent[]
    answer: StoredAnswer
    idempotencyKey?: IdempotencyKey | undefined
  },
  logger: Logger,
): Promise<CommittedUnit> {
  const { db } = target
  const key = unit.idempotencyKey && (await hashKey(unit.idempotencyKey))
  const stored = key && (await beginIdempotent(db, key))
  if (stored) return { answer: stored, replayed: true, messages: [] }

  const transaction = new Transaction()
  // First: a second commit of the same request stops here, before it writes anything.
  if (key) transaction.add(recordStatement(key, unit.answer))
  transaction.addAll(unit.writes)
  const fanOuts = unit.events.map((event) => {
    const inserted = transaction.add<InsertedRow>(fanOutStatement(target, event))
    return () => messagesFor(target, event, inserted.rows)
  })
  if (key) transaction.add(unmarkStatement(key))
  try {
    await transaction.commit(db)
  } catch (error) {
    const earlier = key && (await answerAfterError(target, key, logger))
    if (earlier) return { answer: earlier, replayed: true, messages: [] }
    throw asEngineError(error)
  }
  return { answer: unit.answer, replayed: false, messages: fanOuts.flatMap((messages) => messages()) }
}

// Either another commit of the same request was first, or our own took place and its answer was lost on the way.
async function answerAfterError(
  { db }: PublishTarget,
  key: HashedKey,
  logger: Logger,
): Promise<StoredAnswer | undefined> {
  // Whatever the record says, this request's mark has nothing more to keep away.
  await db.run(unmarkStatement(key)).catch((error: unknown) => {
    logger.warn(errorFields(error), 'an idempotency mark stays until it expires')
  })
  return readAnswer(db, key).catch((error: unknown) => {
    if (error instanceof EngineError) throw error
    logger.warn(errorFields(error), 'the idempotency record could not be read after a failed commit')
    return undefined
  })
}

/** The outbox's refusals in the engine's words; the caller's own errors, a broken constraint say, stay as they are. */
export function asEngineError(error: unknown): unknown {
  if (!(error instanceof OutboxError)) return error
  if (error.code === 'not_accepted')
    return new EngineError('not_accepted', error.message, { cause: error, retryAfterSeconds: 1 })
  if (error.code === 'outcome_unknown') return new EngineError('outcome_unknown', error.message, { cause: error })
  if (error.code === 'invalid_event') return new EngineError('invalid_event', error.message, { cause: error })
  return error
}
