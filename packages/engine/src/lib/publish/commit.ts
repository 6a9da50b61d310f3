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

export interface CommitOptions extends BackgroundOption {
  /** Unexecuted statements, in order: drizzle builders, drizzle `sql`, or `{ sql, params }` in the database's spelling. */
  writes: readonly Statement[]
  events: readonly WebhookEvent[]
  /** Known before the commit, so that it can be stored with it. @default { status: 200, body: null } */
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

/** What was committed, or what an earlier commit of the same request was answered. */
export interface CommitResult {
  status: number
  /** JSON, the same bytes for every repeat of the request. */
  body: string
  replayed: boolean
  /** The ids of the events, in order. Empty when replayed: the earlier answer says what it kept. */
  eventIds: string[]
}

/** What {@link commitTransaction} made durable. */
export interface CommittedTransaction {
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
export async function commitTransaction(
  target: PublishTarget,
  unit: {
    writes: readonly Statement[]
    events: readonly PreparedEvent[]
    answer: StoredAnswer
    idempotencyKey?: IdempotencyKey | undefined
  },
  { logger, waiting, idempotencyRecords }: RowCeilings & { logger: Logger },
): Promise<CommittedTransaction> {
  const { db } = target
  // Before the mark of the request, too, is written.
  const writes = unit.writes.map((write) => toTransactionSql(write, db.dialect.name))
  const { made, stored } = await makeIdempotent(
    { db, logger, idempotencyRecords },
    unit.idempotencyKey,
    async (key) => {
      for (const { workspaceId } of unit.events) {
        const looking = waiting.check(workspaceId)
        if (looking) await looking
      }
      const transaction = new Transaction()
      // First: a second commit of the same request stops here, before it writes anything.
      if (key) transaction.add(recordStatement(key, unit.answer))
      transaction.addAll(writes)
      transaction.addAll(transactionLimitStatements(target, unit.events))
      const fanOuts = unit.events.map((event) => {
        const inserted = addFanOut(transaction, target, event)
        return () => {
          const rows = inserted()
          waiting.added(event.workspaceId, rows.length)
          return messagesFor(target, event, rows)
        }
      })
      if (key) transaction.add(unmarkStatement(key))
      await publishResult(target, transaction.commit(db))
      return fanOuts.flatMap((messages) => messages())
    },
  )
  return stored
    ? { answer: stored, replayed: true, messages: [] }
    : { answer: unit.answer, replayed: false, messages: made }
}
