import { type Statement, Transaction } from '@keepsend/outbox'
import { type OptionNames, toTransactionSql } from '@keepsend/outbox/internal'
import type { RowCeilings } from '../row-ceiling.ts'
import type { PreparedEvent, WebhookEvent } from './event.ts'
import type { QueuedEvent } from './event-queue.ts'
import type { BackgroundOption } from './dispatch.ts'
import { type IdempotencyKey, type StoredAnswer, recordStatement, unmarkStatement } from '../idempotency/idempotency.ts'
import type { Logger } from '../logger.ts'
import { makeIdempotent } from '../idempotency/idempotent-change.ts'
import type { PublishTarget } from './fan-out.ts'
import { addFanOut, messagesFor, publishResult } from './publish.ts'
import { transactionLimitStatements } from './transaction-limit.ts'

/** Options of `engine.commit`. */
export interface CommitOptions<Event = WebhookEvent> extends BackgroundOption {
  /** Unexecuted statements, in order: drizzle builders, drizzle `sql`, or `{ sql, params }` in the database's spelling. */
  writes: readonly Statement[]
  events: readonly Event[]
  /** The response, fixed before the commit so that it is stored with it. @default { status: 200, body: null } */
  response?: { status: number; body: unknown } | undefined
  idempotencyKey?: IdempotencyKey | undefined
}

export const COMMIT_OPTIONS = {
  writes: 'list',
  events: 'list',
  response: 'object',
  idempotencyKey: 'any',
  background: 'function',
} satisfies OptionNames<CommitOptions>

/** The response of this commit, or the stored response of an earlier commit of the same request. */
export interface CommitResult {
  status: number
  /** JSON, byte for byte the same for every repeat of the request. */
  body: string
  /** An earlier commit of the same request was found; nothing was written. */
  replayed: boolean
  /** The ids of the events, in order. Empty when replayed: the stored response is all that is known of the first commit. */
  eventIds: string[]
}

/** The result of {@link commitTransaction}. */
export interface CommittedTransaction {
  answer: StoredAnswer
  /** `answer` is that of an earlier commit of the same request; nothing was written. */
  replayed: boolean
  /** One for each inserted row. Empty when replayed. */
  messages: QueuedEvent[]
  /** One for each event. Empty when replayed. */
  published: PublishedEvent[]
}

/** An event, and how many deliveries were inserted for it. */
export interface PublishedEvent {
  event: PreparedEvent
  deliveries: number
}

/**
 * Commits the caller's writes, the rows of the events and the idempotency record in one transaction: all or nothing, even if
 * the process crashes between two statements. Never retried here: after an error the idempotency record decides whether the
 * commit took place; without a record, `commit_unconfirmed` says that this is unknown.
 */
export async function commitTransaction(
  target: PublishTarget,
  input: {
    writes: readonly Statement[]
    events: readonly PreparedEvent[]
    answer: StoredAnswer
    idempotencyKey?: IdempotencyKey | undefined
  },
  { logger, waiting, idempotencyRecords }: RowCeilings & { logger: Logger },
): Promise<CommittedTransaction> {
  const { db } = target
  // Throws for an invalid statement before the mark of the request is written.
  const writes = input.writes.map((write) => toTransactionSql(write, db.dialect.name))
  const { made, stored } = await makeIdempotent(
    { db, logger, idempotencyRecords },
    input.idempotencyKey,
    async (key) => {
      for (const { workspaceId } of input.events) {
        const check = waiting.check(workspaceId)
        if (check) await check
      }
      const transaction = new Transaction()
      // First: a second commit of the same request fails here, at the record's primary key, before it writes anything.
      if (key) transaction.add(recordStatement(key, input.answer))
      transaction.addAll(writes)
      transaction.addAll(transactionLimitStatements(target, input.events))
      const fanOuts = input.events.map((event) => {
        const inserted = addFanOut(transaction, target, event)
        return () => {
          const rows = inserted()
          waiting.added(event.workspaceId, rows.length)
          return { event, deliveries: rows.length, messages: messagesFor(target, event, rows) }
        }
      })
      if (key) transaction.add(unmarkStatement(key))
      await publishResult(target, transaction.commit(db))
      return fanOuts.map((published) => published())
    },
  )
  return stored
    ? { answer: stored, replayed: true, messages: [], published: [] }
    : {
        answer: input.answer,
        replayed: false,
        messages: made.flatMap(({ messages }) => messages),
        published: made,
      }
}
